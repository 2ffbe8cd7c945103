//! The save loop: pre-copy in rounds, then stop-and-copy.

mod drain;
mod failure;
mod outlet;
mod passes;
mod report;
mod verify;

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use policy::bandwidth::{BandwidthPolicy, Stage};
use policy::stop::{Decision, StopPolicy};
use policy::{Facts, GrowthSeries, Round};
use stream::libxc::Record;

use failure::{Failure, blame};
use outlet::{Job, Outlet, Sinks};
use passes::Passes;
use verify::LastSent;

pub use report::{Peeks, SaveReport, Waterfall};

use crate::held::Held;
use crate::lane::Lanes;
use crate::{
    BoxError, Context, DirtyTracker, Error, Event, PfnSet, Phase, RateControl, RecordSink, SourceDomain,
    Toolstack,
};

/// The domain that is saved.
pub struct Source<'a, D> {
    /// Its memory and state.
    pub domain: &'a mut D,
    /// Its log-dirty.
    pub tracker: &'a mut dyn DirtyTracker,
    /// Who may suspend it.
    pub toolstack: &'a mut dyn Toolstack,
}

impl<D> fmt::Debug for Source<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// In how many threads a save runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// In one, and so the same way each time: for the simulator.
    Inline,
    /// One harvests and maps, one for each lane paces and writes.
    Pipelined,
}

/// How to save.
pub struct SaveOptions {
    /// With a pre-copy; otherwise the guest is suspended first.
    pub live: bool,
    /// Send every page once more at the end, for the target to compare.
    pub verify: bool,
    /// When to leave the pre-copy.
    pub stop: Box<dyn StopPolicy>,
    /// How fast to send.
    pub bandwidth: Box<dyn BandwidthPolicy>,
    /// In how many threads.
    pub threads: Threads,
    /// Pages in a batch.
    pub batch: usize,
    /// How often, within a round, to look which of its pages are dirty again and need not be sent yet. Less often where
    /// a look takes long: of a round's time they get at most a twentieth.
    pub peek_every: Duration,
}

/// Pages in a batch, as in Xen (`MAX_BATCH_SIZE`): 4 MiB.
pub const BATCH_PAGES: usize = 1024;
/// Ten looks a second: on the host world one costs about a millisecond per GiB.
const PEEK_EVERY: Duration = Duration::from_millis(100);

impl SaveOptions {
    /// A live save under these policies, in two threads.
    #[must_use]
    pub fn live(stop: Box<dyn StopPolicy>, bandwidth: Box<dyn BandwidthPolicy>) -> Self {
        Self {
            live: true,
            verify: false,
            stop,
            bandwidth,
            threads: Threads::Pipelined,
            batch: BATCH_PAGES,
            peek_every: PEEK_EVERY,
        }
    }
}

impl fmt::Debug for SaveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveOptions")
            .field("live", &self.live)
            .field("stop", &self.stop.name())
            .field("bandwidth", &self.bandwidth.name())
            .finish_non_exhaustive()
    }
}

/// Saves a domain.
///
/// **On `Ok` the source is suspended, its log-dirty is off, and the sink has accepted its last byte. On `Err` the
/// source runs as before, its log-dirty is off, and nothing of it stays mapped**; only [`Error::NotUndone`]
/// says that this could not be reached.
///
/// # Errors
/// Whatever failed first: the sink, the domain, the stop policy's patience, or an abort.
pub fn save<D: SourceDomain>(
    source: Source<'_, D>,
    sink: &mut impl RecordSink,
    options: &mut SaveOptions,
    context: &mut Context<'_>,
) -> Result<SaveReport, Error> {
    save_by_lanes(source, sink, &mut [], options, context)
}

/// The same over several links at once: `others` take their share of the pages, each in a thread of its own, and `sink`
/// takes all else. What they take is for [`restore_from_lanes`](crate::restore_from_lanes).
///
/// # Errors
/// As [`save`]; the first sink that fails is the cause.
pub fn save_by_lanes<D: SourceDomain, S: RecordSink>(
    source: Source<'_, D>,
    sink: &mut S,
    others: &mut [S],
    options: &mut SaveOptions,
    context: &mut Context<'_>,
) -> Result<SaveReport, Error> {
    let phase = Cell::new(Phase::Open);
    let abort = context.abort;
    let threads = options.threads;
    let rate = sink.rate();
    let sinks = Sinks { first: sink, others };
    let Source { domain, tracker, toolstack } = source;
    let run = |outlet: &mut dyn Outlet<D::Batch>| {
        let source = Source { domain, tracker, toolstack };
        let mut save = Save::new(source, outlet, rate, options, context, &phase);
        let result = save.run();
        save.settle(result)
    };
    let outcome = match threads {
        Threads::Inline => outlet::inline(sinks, run),
        // A link that holds the abort stops waiting for the other side.
        Threads::Pipelined => outlet::pipelined(sinks, run, |result| match result {
            Some(Ok(_)) => {}
            Some(Err(failure)) => abort.raise(failure.to_string()),
            None => abort.raise("a panic"),
        }),
    };
    blame(outcome, phase.get(), abort)
}

struct Save<'a, 'c, D: SourceDomain> {
    domain: &'a mut D,
    held: Held<'a>,
    outlet: &'a mut dyn Outlet<D::Batch>,
    rate: RateControl,
    options: &'a mut SaveOptions,
    context: &'a mut Context<'c>,
    phase: &'a Cell<Phase>,
    started: Duration,
    passes: Passes,
    rounds: Vec<Round>,
    /// What waits to be sent, as the peeks and harvests saw it grow.
    growth: GrowthSeries,
    peeks: Peeks,
    /// When the next one may be made.
    peek_at: Duration,
    /// What suspending the guest takes.
    suspend_cost: Duration,
    /// What the last harvest took: the stop-and-copy has to make one more.
    harvest_took: Duration,
    stop_reason: String,
    downtime: Waterfall,
    /// What the suspended guest's pages were, if they are to be compared.
    last_sent: LastSent,
    /// Pages that others wrote to while the guest was suspended.
    changed: u64,
}

impl<'a, 'c, D: SourceDomain> Save<'a, 'c, D> {
    fn new(
        source: Source<'a, D>,
        outlet: &'a mut dyn Outlet<D::Batch>,
        rate: RateControl,
        options: &'a mut SaveOptions,
        context: &'a mut Context<'c>,
        phase: &'a Cell<Phase>,
    ) -> Self {
        let Source { domain, tracker, toolstack } = source;
        let passes = Passes::new(domain.pfn_limit(), Lanes::with_others(outlet.lanes() - 1));
        Self {
            domain,
            held: Held::new(tracker, toolstack),
            outlet,
            rate,
            started: context.clock.now(),
            options,
            context,
            phase,
            passes,
            rounds: Vec::new(),
            growth: GrowthSeries::new(Duration::ZERO, Duration::ZERO),
            peeks: Peeks::default(),
            peek_at: Duration::ZERO,
            suspend_cost: Duration::ZERO,
            harvest_took: Duration::ZERO,
            stop_reason: String::new(),
            downtime: Waterfall::default(),
            last_sent: LastSent::default(),
            changed: 0,
        }
    }

    fn run(&mut self) -> Result<SaveReport, Failure> {
        self.open()?;
        let pending = if self.options.live { self.pre_copy()? } else { PfnSet::empty(self.passes.limit()) };
        let last_pages = self.stop_and_copy(pending)?;
        if self.options.verify {
            self.verify()?;
        }
        self.state()?;
        self.close(last_pages)
    }

    /// On a failure, puts the source back before anything else is waited for.
    fn settle(&mut self, result: Result<SaveReport, Failure>) -> Result<SaveReport, Failure> {
        result.map_err(|failure| match self.held.undo() {
            Ok(()) => failure,
            Err(cause) => Failure::NotUndone(Box::new(failure), cause),
        })
    }

    fn open(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Open)?;
        self.outlet.put(Job::Begin(self.domain.header()))?;
        let records = self.domain.static_records().map_err(self.failed("reading the static state"))?;
        self.put_all(records)?;
        self.put(Record::StaticDataEnd)?;
        let records =
            self.domain.records_before_memory().map_err(self.failed("reading the memory layout"))?;
        self.put_all(records)
    }

    /// Rounds until the stop policy has enough; returns the pages that still have to go.
    fn pre_copy(&mut self) -> Result<PfnSet, Failure> {
        self.held.start_tracking().map_err(self.failed("switching log-dirty on"))?;
        self.suspend_cost =
            self.held.suspend_cost().map_err(self.failed("measuring what a suspend takes"))?;
        self.growth = GrowthSeries::new(self.options.peek_every, self.context.clock.now());
        let mut pending = PfnSet::empty(self.passes.limit());
        self.add_changed(&mut pending)?;
        while self.wants_another_round()? {
            let number = u32::try_from(self.rounds.len() + 1).unwrap_or(u32::MAX);
            self.enter(Phase::Round(number))?;
            let round = self.round(number, &mut pending)?;
            self.context.tell(Event::Round(&round));
            self.rounds.push(round);
        }
        Ok(pending)
    }

    /// Sends `pending`, and leaves in it what the guest wrote meanwhile.
    fn round(&mut self, number: u32, pending: &mut PfnSet) -> Result<Round, Failure> {
        let (started, bytes) = (self.context.clock.now(), self.outlet.barrier()?.bytes);
        self.set_rate(Stage::Round);
        let pass = self.send_live(pending)?;
        let bytes = self.outlet.barrier()?.bytes - bytes;
        let planned = pending.len();
        pending.clear();
        let last_page = self.context.clock.now();
        self.held.harvest(pending).map_err(self.failed("harvesting the dirty pages"))?;
        let harvested = self.context.clock.now();
        self.harvest_took = harvested - last_page;
        self.growth.harvest(harvested, pending.len());
        let duration = harvested - started;
        let (sent, skipped, dirty) = (pass.sent, pass.skipped, pending.len());
        Ok(Round { number, planned, sent, skipped, bytes, duration, dirty })
    }

    fn wants_another_round(&mut self) -> Result<bool, Failure> {
        let (elapsed, fixed_downtime) = (self.elapsed(), self.suspend_cost + self.harvest_took);
        let facts = Facts { elapsed, fixed_downtime, ..measured(&self.passes, &self.rounds, &self.growth) };
        match self.options.stop.decide(&facts) {
            Decision::Continue => Ok(true),
            Decision::StopAndCopy(reason) => {
                self.context.tell(Event::Stop(&reason));
                self.stop_reason = reason;
                Ok(false)
            }
            Decision::Abort(reason) => Err(Error::GaveUp { policy: self.options.stop.name(), reason }.into()),
        }
    }

    /// Suspends the guest and sends what is left; returns how many pages that were.
    fn stop_and_copy(&mut self, mut pending: PfnSet) -> Result<u64, Failure> {
        self.enter(Phase::StopAndCopy)?;
        self.downtime.decided = self.elapsed();
        self.drain_link()?;
        self.downtime.asked = self.elapsed();
        let stood = self.held.suspend().map_err(self.failed("suspending the guest"))?;
        // First of all: whatever else is done here would seem to be time in which the guest still ran.
        self.downtime.suspended = self.elapsed();
        self.context.tell(Event::Suspended);
        let stopped = stood.map(|stood| self.downtime.suspended.saturating_sub(stood));
        self.downtime.stopped = stopped.unwrap_or_default().max(self.downtime.asked);
        if self.options.live {
            self.held.harvest(&mut pending).map_err(self.failed("harvesting the last dirty pages"))?;
        }
        self.add_changed(&mut pending)?;
        self.downtime.last_harvest = self.elapsed();
        self.set_rate(Stage::StopAndCopy);
        let pass = self.send_still(&pending)?;
        self.outlet.barrier()?;
        self.downtime.last_page = self.elapsed();
        Ok(pass.sent)
    }

    fn state(&mut self) -> Result<(), Failure> {
        self.enter(Phase::State)?;
        let records = self.domain.records_after_memory().map_err(self.failed("reading the state"))?;
        self.put_all(records)
    }

    fn close(&mut self, last_pages: u64) -> Result<SaveReport, Failure> {
        self.enter(Phase::Close)?;
        // Before END: behind it nothing may fail any more that the target does not hear of.
        self.held.stop_tracking().map_err(self.failed("switching log-dirty off"))?;
        self.put(Record::End)?;
        let bytes = self.outlet.barrier()?.bytes;
        self.held.keep_suspended();
        self.downtime.state = self.elapsed();
        let rounds = std::mem::take(&mut self.rounds);
        Ok(SaveReport {
            pfn_limit: self.passes.limit(),
            policy: if self.options.live { self.options.stop.name() } else { "" }.to_owned(),
            stop_reason: std::mem::take(&mut self.stop_reason),
            last_pages,
            pages: last_pages + rounds.iter().map(|round| round.sent).sum::<u64>(),
            rounds,
            bytes,
            links: self.outlet.lanes(),
            started: self.started,
            total: self.downtime.state,
            downtime: self.downtime,
            peeks: self.peeks,
        })
    }

    fn enter(&mut self, phase: Phase) -> Result<(), Failure> {
        self.phase.set(phase);
        self.context.tell(Event::Phase(phase));
        Ok(self.context.check_abort()?)
    }

    fn elapsed(&self) -> Duration {
        self.context.clock.now() - self.started
    }

    fn set_rate(&mut self, stage: Stage) {
        let (elapsed, fixed_downtime) = (self.elapsed(), self.suspend_cost + self.harvest_took);
        let facts = Facts { elapsed, fixed_downtime, ..measured(&self.passes, &self.rounds, &self.growth) };
        self.rate.set(self.options.bandwidth.rate(stage, &facts));
    }

    fn put(&mut self, record: Record) -> Result<(), Failure> {
        Ok(self.outlet.put(Job::Record(record))?)
    }

    fn put_all(&mut self, records: Vec<Record>) -> Result<(), Failure> {
        records.into_iter().try_for_each(|record| self.put(record))
    }

    fn failed(&self, step: &'static str) -> impl Fn(BoxError) -> Failure + use<D> {
        let phase = self.phase.get();
        move |cause| Failure::Own(Error::World { phase, step, cause })
    }
}

fn measured<'f>(passes: &Passes, rounds: &'f [Round], growth: &'f GrowthSeries) -> Facts<'f> {
    let (growth, slot) = (growth.states(), growth.slot());
    Facts { pages: passes.limit(), rounds, growth, slot, ..Facts::default() }
}
