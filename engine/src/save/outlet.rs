//! The way from the loop to the sinks: in the same thread, or through a bounded queue each to a thread that writes.

use std::io;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use stream::PageEntry;
use stream::libxc::{DomainHeader, Record};

use crate::lane::Lanes;
use crate::{GuestPage, PageBatch, RecordSink, SinkError, Undelivered};

/// Batches that wait between the loop and a writer; with the one being written and the one being made, at
/// most six are mapped at once for a lane.
const QUEUE: usize = 4;

/// The sinks of one domain.
pub(super) struct Sinks<'s, S> {
    /// Takes everything.
    pub(super) first: &'s mut S,
    /// Take some of the pages each.
    pub(super) others: &'s mut [S],
}

/// The pages of a job that have data.
pub(super) enum Memory<B> {
    /// In the guest, which may still be written to.
    Guest(B),
    /// As they were when they were looked at.
    Copied(Vec<GuestPage>),
}

/// One thing for a sink to do.
pub(super) enum Job<B> {
    Begin(DomainHeader),
    Record(Record),
    /// The entries to send, and the memory of those with data.
    Pages(Vec<PageEntry>, Memory<B>),
    /// Everything before this was accepted: answer with what that is.
    Barrier(SyncSender<Accepted>),
}

impl<B> Job<B> {
    /// The same for every other lane: where each of their streams starts and ends, and where its pages start to be those
    /// to compare.
    fn for_others(&self) -> Option<Self> {
        match self {
            Self::Begin(header) => Some(Self::Begin(*header)),
            Self::Record(Record::Verify) => Some(Self::Record(Record::Verify)),
            Self::Record(Record::End) => Some(Self::Record(Record::End)),
            _ => None,
        }
    }

    /// The lane for it.
    fn lane(&self, lanes: Lanes) -> usize {
        match self {
            Self::Pages(entries, _) => entries.first().map_or(0, |entry| lanes.of(entry.pfn)),
            _ => 0,
        }
    }
}

/// What sinks have accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accepted {
    /// Bytes so far.
    pub(super) bytes: u64,
    /// What of them the other side has not read yet.
    pub(super) undelivered: Undelivered,
}

impl Accepted {
    fn and(self, other: Self) -> Self {
        let Undelivered { in_flight, unread } = other.undelivered;
        Self {
            bytes: self.bytes + other.bytes,
            undelivered: Undelivered {
                in_flight: self.undelivered.in_flight + in_flight,
                unread: self.undelivered.unread + unread,
            },
        }
    }
}

/// A sink failed; its own error comes with the [`Outcome`].
#[derive(Debug)]
pub(super) struct Closed;

/// Takes jobs.
pub(super) trait Outlet<B> {
    fn lanes(&self) -> usize;

    fn put_to(&mut self, lane: usize, job: Job<B>) -> Result<(), Closed>;

    /// Gives the job to the lane that it is for. The pages of one job are all for one.
    fn put(&mut self, job: Job<B>) -> Result<(), Closed> {
        for lane in 1..self.lanes() {
            let Some(same) = job.for_others() else { break };
            self.put_to(lane, same)?;
        }
        self.put_to(job.lane(Lanes::with_others(self.lanes() - 1)), job)
    }

    /// Waits until the sinks have accepted all.
    fn barrier(&mut self) -> Result<Accepted, Closed> {
        let lanes = self.lanes();
        let (answer, accepted) = sync_channel(lanes);
        (0..lanes).try_for_each(|lane| self.put_to(lane, Job::Barrier(answer.clone())))?;
        // Else nobody would notice that one of them will never answer.
        drop(answer);
        (0..lanes).try_fold(Accepted::default(), |all, _| Ok(all.and(accepted.recv().map_err(|_| Closed)?)))
    }
}

/// What the loop and the sinks each came to.
pub(super) struct Outcome<T> {
    pub(super) run: T,
    /// The first error of a sink that is not the abort.
    pub(super) sink: Result<(), SinkError>,
}

/// Runs the loop and the sinks in this thread.
pub(super) fn inline<B: PageBatch, T>(
    sinks: Sinks<'_, impl RecordSink>,
    run: impl FnOnce(&mut dyn Outlet<B>) -> T,
) -> Outcome<T> {
    let mut outlet = Inline { sinks, failure: Ok(()) };
    let run = run(&mut outlet);
    Outcome { run, sink: outlet.failure }
}

/// Runs each sink in a thread of its own. `unblock` is called when the loop is over or has panicked, before the
/// writers are waited for.
pub(super) fn pipelined<B: PageBatch, T>(
    sinks: Sinks<'_, impl RecordSink>,
    run: impl FnOnce(&mut dyn Outlet<B>) -> T,
    unblock: impl FnOnce(Option<&T>),
) -> Outcome<T> {
    thread::scope(|scope| {
        let start = |sink| {
            let (jobs, queue) = sync_channel(QUEUE);
            (jobs, scope.spawn(move || drain(sink, &queue)))
        };
        let (lanes, writers): (_, Vec<_>) = iter::once(sinks.first).chain(sinks.others).map(start).unzip();
        let mut outlet = Queued { lanes };
        let run = catch_unwind(AssertUnwindSafe(|| run(&mut outlet)));
        unblock(run.as_ref().ok());
        drop(outlet);
        let ends =
            writers.into_iter().map(|writer| writer.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let ends: Vec<_> = ends.collect();
        let run = run.unwrap_or_else(|panic| resume_unwind(panic));
        Outcome { run, sink: first_cause(ends) }
    })
}

/// When one sink fails, the others are aborted.
fn first_cause(ends: Vec<Result<(), SinkError>>) -> Result<(), SinkError> {
    let rank = |end: &Result<(), SinkError>| match end {
        Err(SinkError::Link(cause)) if cause.kind() == io::ErrorKind::Interrupted => 1,
        Err(_) => 0,
        Ok(()) => 2,
    };
    ends.into_iter().min_by_key(rank).unwrap_or(Ok(()))
}

struct Inline<'s, S> {
    sinks: Sinks<'s, S>,
    failure: Result<(), SinkError>,
}

impl<B: PageBatch, S: RecordSink> Outlet<B> for Inline<'_, S> {
    fn lanes(&self) -> usize {
        1 + self.sinks.others.len()
    }

    fn put_to(&mut self, lane: usize, job: Job<B>) -> Result<(), Closed> {
        if self.failure.is_ok() {
            let sink = if lane == 0 { &mut *self.sinks.first } else { &mut self.sinks.others[lane - 1] };
            self.failure = perform(sink, job);
        }
        if self.failure.is_ok() { Ok(()) } else { Err(Closed) }
    }
}

struct Queued<B> {
    lanes: Vec<SyncSender<Job<B>>>,
}

impl<B> Outlet<B> for Queued<B> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn put_to(&mut self, lane: usize, job: Job<B>) -> Result<(), Closed> {
        self.lanes[lane].send(job).map_err(|_| Closed)
    }
}

fn drain<B: PageBatch>(sink: &mut impl RecordSink, queue: &Receiver<Job<B>>) -> Result<(), SinkError> {
    queue.iter().try_for_each(|job| perform(sink, job))
}

fn perform<B: PageBatch>(sink: &mut impl RecordSink, job: Job<B>) -> Result<(), SinkError> {
    match job {
        Job::Begin(header) => sink.begin(&header),
        Job::Record(record) => sink.record(&record),
        Job::Pages(entries, Memory::Guest(batch)) => sink.pages(&entries, &batch.runs().collect::<Vec<_>>()),
        Job::Pages(entries, Memory::Copied(pages)) => sink.pages(&entries, &[&pages]),
        Job::Barrier(answer) => {
            // Nobody waits for the answer any more when the loop has failed meanwhile.
            let _ = answer.send(Accepted { bytes: sink.bytes(), undelivered: sink.undelivered() });
            Ok(())
        }
    }
}
