//! The way from the loop to the sink: in the same thread, or through a bounded queue to a thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use stream::PageEntry;
use stream::libxc::{DomainHeader, Record};

use crate::{PageBatch, RecordSink, SinkError, Undelivered};

/// Batches that wait between the loop and the writer; with the one being written and the one being made, at
/// most six are mapped at once.
const QUEUE: usize = 4;

/// One thing for the sink to do.
pub(super) enum Job<B> {
    Begin(DomainHeader),
    Record(Record),
    /// The entries to send, and the batch that holds the memory of those with data.
    Pages(Vec<PageEntry>, B),
    /// Everything before this was accepted: answer with what that is.
    Barrier(SyncSender<Accepted>),
}

/// What the sink has accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// Bytes so far.
    pub(super) bytes: u64,
    /// What of them the other side has not read yet.
    pub(super) undelivered: Undelivered,
}

/// The sink failed; its own error comes with the [`Outcome`].
#[derive(Debug)]
pub(super) struct Closed;

/// Takes jobs.
pub(super) trait Outlet<B> {
    fn put(&mut self, job: Job<B>) -> Result<(), Closed>;

    /// Waits until the sink has accepted all.
    fn barrier(&mut self) -> Result<Accepted, Closed> {
        let (answer, accepted) = sync_channel(1);
        self.put(Job::Barrier(answer))?;
        accepted.recv().map_err(|_| Closed)
    }
}

/// What the loop and the sink each came to.
pub(super) struct Outcome<T> {
    pub(super) run: T,
    pub(super) sink: Result<(), SinkError>,
}

/// Runs the loop and the sink in this thread.
pub(super) fn inline<B: PageBatch, T>(
    sink: &mut impl RecordSink,
    run: impl FnOnce(&mut dyn Outlet<B>) -> T,
) -> Outcome<T> {
    let mut outlet = Inline { sink, failure: Ok(()) };
    let run = run(&mut outlet);
    Outcome { run, sink: outlet.failure }
}

/// Runs the sink in a thread of its own. `unblock` is called when the loop is over or has panicked, before the
/// writer is waited for.
pub(super) fn pipelined<B: PageBatch, T>(
    sink: &mut impl RecordSink,
    run: impl FnOnce(&mut dyn Outlet<B>) -> T,
    unblock: impl FnOnce(Option<&T>),
) -> Outcome<T> {
    thread::scope(|scope| {
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = scope.spawn(move || drain(sink, &queue));
        let mut outlet = Queued { jobs };
        let run = catch_unwind(AssertUnwindSafe(|| run(&mut outlet)));
        unblock(run.as_ref().ok());
        drop(outlet);
        let sink = writer.join();
        let run = run.unwrap_or_else(|panic| resume_unwind(panic));
        Outcome { run, sink: sink.unwrap_or_else(|panic| resume_unwind(panic)) }
    })
}

struct Inline<'a, S> {
    sink: &'a mut S,
    failure: Result<(), SinkError>,
}

impl<B: PageBatch, S: RecordSink> Outlet<B> for Inline<'_, S> {
    fn put(&mut self, job: Job<B>) -> Result<(), Closed> {
        if self.failure.is_ok() {
            self.failure = perform(self.sink, job);
        }
        if self.failure.is_ok() { Ok(()) } else { Err(Closed) }
    }
}

struct Queued<B> {
    jobs: SyncSender<Job<B>>,
}

impl<B> Outlet<B> for Queued<B> {
    fn put(&mut self, job: Job<B>) -> Result<(), Closed> {
        self.jobs.send(job).map_err(|_| Closed)
    }
}

fn drain<B: PageBatch>(sink: &mut impl RecordSink, queue: &Receiver<Job<B>>) -> Result<(), SinkError> {
    queue.iter().try_for_each(|job| perform(sink, job))
}

fn perform<B: PageBatch>(sink: &mut impl RecordSink, job: Job<B>) -> Result<(), SinkError> {
    match job {
        Job::Begin(header) => sink.begin(&header),
        Job::Record(record) => sink.record(&record),
        Job::Pages(entries, batch) => sink.pages(&entries, &batch.runs().collect::<Vec<_>>()),
        Job::Barrier(answer) => {
            // Nobody waits for the answer any more when the loop has failed meanwhile.
            let _ = answer.send(Accepted { bytes: sink.bytes(), undelivered: sink.undelivered() });
            Ok(())
        }
    }
}
