//! The promise of the engine, for any guest: **the target equals the source at suspend, or the source runs on
//! unchanged and nothing is left of the target.**

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{
    Abort, Clock, Context, Error, Event as Told, Observer, RestoreOptions, SaveOptions, Source, StreamSink,
    Threads, libxc::DomainKind, restore, save,
};
use policy::{bandwidth, stop};
use proptest::prelude::*;
use proptest::sample::select;
use sim::{Content, Event, FaultPoint, SimConfig, SimGuest, SimLink, SimTarget, SimWire, VirtualClock};
use stream::{Input, Pfn};

/// When the guest does the last of what it does.
const LAST_EVENT_MS: u64 = 400;

/// One guest, one way to move it, and what goes wrong.
#[derive(Clone, Debug)]
struct Case {
    config: SimConfig,
    events: Vec<(Duration, Event)>,
    live: bool,
    verify: bool,
    threads: Threads,
    stop: &'static str,
    bandwidth: &'static str,
    batch: usize,
    peek_every: Duration,
    link_rate: u64,
    trouble: Trouble,
}

#[derive(Clone, Debug)]
enum Trouble {
    None,
    /// The link is cut behind this many bytes.
    Cut(u64),
    /// These calls fail.
    Save(Vec<(FaultPoint, u64)>),
    /// This call fails.
    Restore(FaultPoint, u64),
    /// An abort after this many engine events.
    Abort(usize),
}

/// Raises the abort at the nth event.
struct AbortAt {
    abort: Abort,
    left: Option<usize>,
}

impl Observer for AbortAt {
    fn event(&mut self, _: Duration, _: Told<'_>) {
        match &mut self.left {
            Some(0) => self.abort.raise("the test says so"),
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

struct Saved {
    guest: SimGuest,
    clock: VirtualClock,
    wire: SimWire,
    result: Result<engine::SaveReport, Error>,
}

fn run_save(case: &Case) -> Saved {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::new(), Abort::new());
    let guest = SimGuest::new(&case.config, case.events.clone().into_iter(), &clock);
    if let Trouble::Save(faults) = &case.trouble {
        faults.iter().for_each(|&(point, nth)| guest.fail_at(point, nth));
    }
    let mut link = SimLink::new(&clock, &wire).at_rate(case.link_rate);
    if let Trouble::Cut(bytes) = case.trouble {
        link = link.cut_after(bytes);
    }
    let mut options = SaveOptions {
        live: case.live,
        verify: case.verify,
        threads: case.threads,
        batch: case.batch,
        peek_every: case.peek_every,
        ..SaveOptions::live(
            stop::by_name(case.stop).expect("a stop policy"),
            bandwidth::by_name(case.bandwidth).expect("a bandwidth policy"),
        )
    };
    let left = if let Trouble::Abort(events) = case.trouble { Some(events) } else { None };
    let mut observer = AbortAt { abort: abort.clone(), left };
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut sink = StreamSink::new(link, DomainKind::Hvm, &clock, &abort);
    let mut context = Context { clock: &clock, observer: &mut observer, abort: &abort };
    let result = save(source, &mut sink, &mut options, &mut context);
    Saved { guest, clock, wire, result }
}

fn run_restore(case: &Case, wire: &SimWire) -> (SimTarget, Result<engine::RestoreReport, Error>) {
    let mut target = SimTarget::new(case.config.pages);
    if let Trouble::Restore(point, nth) = case.trouble {
        target.fail_at(point, nth);
    }
    let (clock, abort) = (VirtualClock::new(), Abort::new());
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    let input = Input::new(wire.clone());
    let result = restore(input, &mut target, RestoreOptions { digest: true }, &mut context);
    (target, result.map(|(report, _)| report))
}

/// What the guest holds when nobody moves it and all events are over.
fn undisturbed(case: &Case) -> Vec<Option<Content>> {
    let clock = VirtualClock::new();
    let guest = SimGuest::new(&case.config, case.events.clone().into_iter(), &clock);
    clock.advance(Duration::from_millis(LAST_EVENT_MS));
    guest.snapshot()
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let saved = run_save(case);
    let (target, restored) = run_restore(case, &saved.wire);
    prop_assert!(!saved.guest.is_tracking() || not_undone(&saved), "log-dirty is left on");
    prop_assert_eq!(saved.guest.batches_held(), 0);
    match &saved.result {
        Ok(report) => {
            prop_assert!(!saved.guest.is_running());
            prop_assert!(!saved.guest.is_logging_device_writes());
            prop_assert_eq!(report.bytes, saved.wire.count());
            arrived(case, &saved, &target, &restored)
        }
        Err(_) if not_undone(&saved) => Ok(()),
        Err(error) => {
            prop_assert!(!matches!(case.trouble, Trouble::None | Trouble::Restore(..)), "{:?}", error);
            prop_assert!(saved.guest.is_running(), "{:?}", error);
            prop_assert!(!saved.guest.is_logging_device_writes());
            prop_assert!(restored.is_err() && target.is_discarded(), "a failed save made a guest");
            saved.clock.advance(Duration::from_millis(LAST_EVENT_MS) + saved.clock.now());
            prop_assert_eq!(saved.guest.snapshot(), undisturbed(case));
            Ok(())
        }
    }
}

/// Two failures at once: the save's, and that of its undoing. The engine says so.
fn not_undone(saved: &Saved) -> bool {
    matches!(saved.result, Err(Error::NotUndone { .. }))
}

fn arrived(
    case: &Case,
    saved: &Saved,
    target: &SimTarget,
    restored: &Result<engine::RestoreReport, Error>,
) -> Result<(), TestCaseError> {
    let report = match restored {
        Ok(report) => report,
        Err(error) => {
            prop_assert!(matches!(case.trouble, Trouble::Restore(..)), "{:?}", error);
            prop_assert!(target.is_discarded() && target.discards() == 1);
            return Ok(());
        }
    };
    prop_assert!(target.is_complete() && !target.is_discarded());
    prop_assert_eq!(target.snapshot(), saved.guest.snapshot());
    prop_assert_eq!(report.populated, target.snapshot().iter().flatten().count() as u64);
    prop_assert_eq!(target.events_applied(), Some(saved.guest.events_applied()));
    Ok(())
}

/// Log-dirty that does not see ballooning loses a page that goes and comes back: of such a guest each page
/// comes or goes once.
fn only_once(config: &SimConfig, events: Vec<(Duration, Event)>) -> Vec<(Duration, Event)> {
    let mut done = BTreeSet::new();
    let holes: BTreeSet<Pfn> = config.holes.iter().copied().collect();
    let keep = move |(_, event): &(Duration, Event)| match event {
        Event::BalloonOut(pfn) => !holes.contains(pfn) && done.insert(*pfn),
        Event::BalloonIn(pfn) => holes.contains(pfn) && done.insert(*pfn),
        Event::Write(..) | Event::DeviceWrite(..) => true,
    };
    events.into_iter().filter(keep).collect()
}

fn event(pages: u64) -> impl Strategy<Value = Event> {
    let pfn = || (0..pages).prop_map(Pfn);
    let content = || any::<u64>().prop_map(Content);
    prop_oneof![
        6 => (pfn(), content()).prop_map(|(p, c)| Event::Write(p, c)),
        1 => (pfn(), content()).prop_map(|(p, c)| Event::DeviceWrite(p, c)),
        2 => pfn().prop_map(Event::BalloonOut),
        2 => pfn().prop_map(Event::BalloonIn),
    ]
}

fn guest() -> impl Strategy<Value = (SimConfig, Vec<(Duration, Event)>)> {
    (1..300_u64).prop_flat_map(|pages| {
        let at = (0..LAST_EVENT_MS * 1000).prop_map(Duration::from_micros);
        let events = prop::collection::vec((at, event(pages)), 0..400);
        let holes = prop::collection::vec((0..pages).prop_map(Pfn), 0..20);
        let suspend_takes = (0..50_u64).prop_map(Duration::from_millis);
        (any::<u64>(), holes, any::<bool>(), suspend_takes, events).prop_map(move |drawn| {
            let (seed, holes, silent_ballooning, suspend_takes, mut events) = drawn;
            let config =
                SimConfig { pages, seed, holes, silent_ballooning, suspend_takes, ..SimConfig::default() };
            events.sort_by_key(|(at, _)| *at);
            let events = if silent_ballooning { only_once(&config, events) } else { events };
            (config, events)
        })
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let fault = (select(&FaultPoint::SAVE), 1..6_u64);
    prop_oneof![
        3 => Just(Trouble::None),
        2 => (0..2_000_000_u64).prop_map(Trouble::Cut),
        2 => prop::collection::vec(fault, 1..3).prop_map(Trouble::Save),
        1 => (select(&FaultPoint::RESTORE), 1..6_u64).prop_map(|(point, nth)| Trouble::Restore(point, nth)),
        2 => (0..40_usize).prop_map(Trouble::Abort),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let how = (any::<bool>(), any::<bool>(), select(&["xen", "classic", "psc", "fni:n=1", "fni:n=3"]));
    let speed = (select(&["unlimited", "fixed:rate=100M", "fixed:rate=1G"]), 10_000_000..10_000_000_000_u64);
    let detail = (select(&[Threads::Inline, Threads::Pipelined]), 1..65_usize, 0..20_u64);
    (guest(), how, speed, detail, trouble()).prop_map(|((config, events), how, speed, detail, trouble)| {
        Case {
            config,
            events,
            live: how.0,
            verify: how.1,
            stop: how.2,
            bandwidth: speed.0,
            link_rate: speed.1,
            threads: detail.0,
            batch: detail.1,
            peek_every: Duration::from_millis(detail.2),
            trouble,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_target_equals_the_source_or_the_source_runs_on(case in case()) {
        check(&case)?;
    }
}
