//! The guest through the engine's traits.

use engine::{
    BoxError, DirtyTracker, Harvest, Link, PageBatch, SourceDomain, TargetDomain, TargetMemory, Toolstack,
    libxc::Record,
};
use stream::{PAGE_SIZE, PageType};

use super::*;
use crate::{ConstantRate, SimError, SimLink, SimTarget, SimWire, hvm_context};

const PAGES: u64 = 8;
const SEED: u64 = 7;

struct World {
    clock: VirtualClock,
    guest: SimGuest,
    source: SimSource,
    tracker: SimTracker,
    toolstack: SimToolstack,
}

impl World {
    fn new(model: impl DirtyModel + 'static) -> Self {
        Self::with(&config(), model)
    }

    fn with(config: &SimConfig, model: impl DirtyModel + 'static) -> Self {
        let clock = VirtualClock::new();
        let guest = SimGuest::new(config, model, &clock);
        let (source, tracker, toolstack) = guest.split();
        Self { clock, guest, source, tracker, toolstack }
    }

    fn harvest(&mut self, when: Harvest) -> Vec<u64> {
        let mut dirty = PfnSet::empty(PAGES);
        self.tracker.harvest(&mut dirty, when).unwrap();
        dirty.iter().map(|pfn| pfn.0).collect()
    }

    fn peek(&mut self) -> Vec<u64> {
        let mut dirty = PfnSet::empty(PAGES);
        self.tracker.peek(&mut dirty).unwrap();
        dirty.iter().map(|pfn| pfn.0).collect()
    }

    fn content(&self, pfn: u64) -> Option<Content> {
        self.guest.snapshot()[Pfn(pfn).index()]
    }
}

fn config() -> SimConfig {
    SimConfig { pages: PAGES, seed: SEED, holes: vec![Pfn(3)], ..SimConfig::default() }
}

fn at(second: u64, event: Event) -> (Duration, Event) {
    (Duration::from_secs(second), event)
}

fn events<const N: usize>(list: [(Duration, Event); N]) -> impl DirtyModel {
    list.into_iter()
}

fn idle() -> impl DirtyModel {
    std::iter::empty()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[track_caller]
fn assert_bug<T: fmt::Debug>(result: Result<T, BoxError>) {
    let error = result.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(SimError::EngineBug(_))), "{error}");
}

#[test]
fn a_new_guest_holds_its_seed_and_its_holes() {
    let world = World::new(idle());
    for pfn in 0..PAGES {
        let expected = (pfn != 3).then(|| Content::initial(SEED, Pfn(pfn)));
        assert_eq!(world.content(pfn), expected);
    }
    assert!(world.guest.is_running());
    assert_eq!(world.source.pfn_limit(), PAGES);
}

#[test]
fn events_happen_at_their_time_and_not_before() {
    let world = World::new(events([at(2, Event::Write(Pfn(1), Content(9)))]));
    world.clock.advance(seconds(2) - Duration::from_nanos(1));
    assert_eq!(world.content(1), Some(Content::initial(SEED, Pfn(1))));
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.content(1), Some(Content(9)));
    assert_eq!(world.guest.events_applied(), 1);
}

#[test]
fn a_guest_made_later_starts_then() {
    let clock = VirtualClock::new();
    clock.advance(seconds(100));
    let guest = SimGuest::new(&config(), events([at(2, Event::BalloonOut(Pfn(0)))]), &clock);
    assert_eq!(guest.events_applied(), 0);
    clock.advance(seconds(2));
    assert_eq!(guest.events_applied(), 1);
}

#[test]
fn time_in_suspension_does_not_run_the_guest() {
    let mut world = World::new(events([
        at(1, Event::Write(Pfn(0), Content(1))),
        at(3, Event::Write(Pfn(0), Content(2))),
        at(5, Event::Write(Pfn(0), Content(3))),
    ]));
    world.clock.advance(seconds(2));
    world.toolstack.suspend().unwrap();
    assert!(!world.guest.is_running());
    world.clock.advance(seconds(100));
    assert_eq!(world.content(0), Some(Content(1)));
    world.toolstack.resume().unwrap();
    assert!(world.guest.is_running());
    assert_eq!(world.content(0), Some(Content(1)));
    world.clock.advance(seconds(1));
    assert_eq!(world.content(0), Some(Content(2)));
    world.toolstack.resume().unwrap();
    world.clock.advance(seconds(2));
    assert_eq!(world.content(0), Some(Content(3)));
}

#[test]
fn what_happened_before_the_suspension_is_there_after_it() {
    let mut world = World::new(events([at(1, Event::Write(Pfn(0), Content(1)))]));
    world.tracker.start().unwrap();
    world.clock.advance(seconds(1));
    world.toolstack.suspend().unwrap();
    assert_eq!(world.harvest(Harvest::Final), [0]);
    assert_eq!(world.content(0), Some(Content(1)));
}

#[test]
fn writes_and_ballooning_are_seen_once_by_harvest_and_always_by_peek() {
    let mut world = World::new(events([
        at(1, Event::Write(Pfn(5), Content(1))),
        at(2, Event::BalloonOut(Pfn(1))),
        at(2, Event::BalloonIn(Pfn(3))),
        at(3, Event::Write(Pfn(5), Content(1))),
    ]));
    world.tracker.start().unwrap();
    assert!(world.guest.is_tracking());
    world.clock.advance(seconds(2));
    assert_eq!(world.peek(), [1, 3, 5]);
    assert_eq!(world.peek(), [1, 3, 5]);
    assert_eq!(world.harvest(Harvest::Live), [1, 3, 5]);
    assert_eq!((world.content(1), world.content(3)), (None, Some(Content::ZERO)));
    assert_eq!(world.harvest(Harvest::Live), []);
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), [5]);
}

#[test]
fn harvest_and_peek_add_to_what_is_there() {
    let mut world = World::new(events([at(1, Event::Write(Pfn(5), Content(1)))]));
    world.tracker.start().unwrap();
    world.clock.advance(seconds(1));
    let mut dirty = PfnSet::empty(PAGES);
    dirty.insert(Pfn(0));
    world.tracker.peek(&mut dirty).unwrap();
    world.tracker.harvest(&mut dirty, Harvest::Live).unwrap();
    assert_eq!(dirty.iter().collect::<Vec<_>>(), [Pfn(0), Pfn(5)]);
}

#[test]
fn what_cannot_happen_does_nothing_but_count() {
    let nothing = [
        at(1, Event::Write(Pfn(3), Content(1))),
        at(1, Event::DeviceWrite(Pfn(3), Content(1))),
        at(1, Event::BalloonOut(Pfn(3))),
        at(1, Event::BalloonIn(Pfn(0))),
        at(1, Event::Write(Pfn(PAGES), Content(1))),
        at(1, Event::BalloonIn(Pfn(u64::MAX))),
    ];
    let mut world = World::new(events(nothing));
    world.tracker.start().unwrap();
    let before = world.guest.snapshot();
    world.clock.advance(seconds(1));
    assert_eq!(world.guest.snapshot(), before);
    assert_eq!(world.harvest(Harvest::Live), []);
    assert_eq!(world.guest.events_applied(), nothing.len() as u64);
}

#[test]
fn nothing_is_dirty_without_tracking() {
    let writes = (1..=4).map(|second| at(second, Event::Write(Pfn(second), Content(1))));
    let mut world = World::new(writes);
    world.clock.advance(seconds(1));
    world.tracker.start().unwrap();
    assert_eq!(world.harvest(Harvest::Live), []);
    world.clock.advance(seconds(1));
    world.tracker.stop().unwrap();
    assert!(!world.guest.is_tracking());
    world.clock.advance(seconds(1));
    world.tracker.start().unwrap();
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), [4]);
}

#[test]
fn device_writes_are_seen_only_while_devices_log() {
    let writes = (1..=3).map(|second| at(second, Event::DeviceWrite(Pfn(second + 3), Content(1))));
    let mut world = World::new(writes);
    world.tracker.start().unwrap();
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), []);
    world.toolstack.log_device_writes(true).unwrap();
    assert!(world.guest.is_logging_device_writes());
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), [5]);
    world.toolstack.log_device_writes(false).unwrap();
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), []);
    assert_eq!(world.content(6), Some(Content(1)));
}

#[test]
fn silent_ballooning_is_not_seen_but_the_write_after_it_is() {
    let config = SimConfig { silent_ballooning: true, ..config() };
    let model = events([
        at(1, Event::BalloonOut(Pfn(1))),
        at(1, Event::BalloonIn(Pfn(3))),
        at(2, Event::Write(Pfn(3), Content(1))),
    ]);
    let mut world = World::with(&config, model);
    world.tracker.start().unwrap();
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), []);
    assert_eq!((world.content(1), world.content(3)), (None, Some(Content::ZERO)));
    world.clock.advance(seconds(1));
    assert_eq!(world.harvest(Harvest::Live), [3]);
}

#[test]
fn a_batch_has_every_entry_and_a_run_between_holes() {
    let mut world = World::new(idle());
    let batch = world.source.batch(&[1, 2, 3, 4, 6, 7].map(Pfn)).unwrap();
    let holes: Vec<_> = batch.entries().iter().filter(|e| e.kind == PageType::XTab).map(|e| e.pfn).collect();
    assert_eq!(batch.entries().len(), 6);
    assert_eq!(holes, [Pfn(3)]);
    let runs: Vec<_> = batch.runs().map(<[_]>::len).collect();
    assert_eq!(runs, [2, 1, 2]);
    let mut bytes = [0; PAGE_SIZE];
    let with_data = batch.entries().iter().filter(|e| e.kind.has_data());
    for (entry, page) in with_data.zip(batch.runs().flatten()) {
        page.load(&mut bytes);
        assert_eq!(Content::of(&bytes), Some(Content::initial(SEED, entry.pfn)), "{}", entry.pfn);
    }
}

#[test]
fn page_types_tells_holes_from_ram_as_they_are_now() {
    let mut world = World::new(events([at(1, Event::BalloonIn(Pfn(3))), at(1, Event::BalloonOut(Pfn(4)))]));
    let mut types = vec![PageType::Broken];
    world.source.page_types(&[Pfn(4), Pfn(3)], &mut types).unwrap();
    assert_eq!(types, [PageType::NoTab, PageType::XTab]);
    world.clock.advance(seconds(1));
    world.source.page_types(&[Pfn(4), Pfn(3)], &mut types).unwrap();
    assert_eq!(types, [PageType::XTab, PageType::NoTab]);
}

#[test]
fn batches_are_held_while_they_live() {
    let mut world = World::new(idle());
    let first = world.source.batch(&[Pfn(1)]).unwrap();
    let second = world.source.batch(&[Pfn(2)]).unwrap();
    assert_eq!(world.guest.batches_held(), 2);
    drop(first);
    assert_eq!(world.guest.batches_held(), 1);
    drop(second);
    assert_eq!(world.guest.batches_held(), 0);
}

#[test]
fn the_state_is_of_the_suspended_guest() {
    let mut world = World::new(ConstantRate::new(3, 0..PAGES));
    world.clock.advance(seconds(5));
    world.toolstack.suspend().unwrap();
    world.clock.advance(seconds(5));
    let records = world.source.records_after_memory().unwrap();
    let [Record::TscInfo(tsc), Record::HvmContext(context)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(tsc.nsec, 5_000_000_000);
    assert_eq!(hvm_context::events_applied(context), Ok(15));
    assert_eq!(world.source.static_records().unwrap(), []);
    assert_eq!(world.source.records_before_memory().unwrap(), []);
}

#[test]
fn broken_promises_are_engine_bugs() {
    let mut world = World::new(idle());
    let mut dirty = PfnSet::empty(PAGES);
    assert_bug(world.tracker.peek(&mut dirty));
    assert_bug(world.tracker.harvest(&mut dirty, Harvest::Live));
    world.tracker.stop().unwrap();
    world.tracker.start().unwrap();
    assert_bug(world.tracker.start());
    assert_bug(world.tracker.harvest(&mut dirty, Harvest::Final));
    assert_bug(world.source.batch(&[Pfn(2), Pfn(1)]));
    assert_bug(world.source.batch(&[Pfn(PAGES)]));
    assert_bug(world.source.page_types(&[Pfn(PAGES)], &mut Vec::new()));
    assert_bug(world.source.records_after_memory());
    world.toolstack.suspend().unwrap();
    assert_bug(world.toolstack.suspend());
}

#[test]
fn every_call_fails_on_order_and_then_has_done_nothing() {
    type Call = fn(&mut World) -> Result<(), BoxError>;
    let calls: [(FaultPoint, Call); 12] = [
        (FaultPoint::PageTypes, |w| w.source.page_types(&[Pfn(0)], &mut Vec::new())),
        (FaultPoint::Batch, |w| w.source.batch(&[Pfn(0)]).map(drop)),
        (FaultPoint::StaticRecords, |w| w.source.static_records().map(drop)),
        (FaultPoint::RecordsBeforeMemory, |w| w.source.records_before_memory().map(drop)),
        (FaultPoint::LogDeviceWrites, |w| w.toolstack.log_device_writes(true)),
        (FaultPoint::Start, |w| w.tracker.start()),
        (FaultPoint::Peek, |w| w.tracker.peek(&mut PfnSet::empty(PAGES))),
        (FaultPoint::Harvest, |w| w.tracker.harvest(&mut PfnSet::empty(PAGES), Harvest::Live)),
        (FaultPoint::Suspend, |w| w.toolstack.suspend().map(drop)),
        (FaultPoint::RecordsAfterMemory, |w| w.source.records_after_memory().map(drop)),
        (FaultPoint::Resume, |w| w.toolstack.resume()),
        (FaultPoint::Stop, |w| w.tracker.stop()),
    ];
    assert_eq!(calls.len(), FaultPoint::SAVE.len());
    let mut world = World::new(idle());
    let seen = |w: &World| (w.guest.is_running(), w.guest.is_tracking(), w.guest.is_logging_device_writes());
    for (point, call) in calls {
        let before = seen(&world);
        world.guest.fail_at(point, 1);
        let error = call(&mut world).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&SimError::Fault { point, nth: 1 }));
        assert_eq!(seen(&world), before, "{point:?}");
        call(&mut world).unwrap();
        assert_eq!(world.guest.calls(point), 2);
    }
}

/// Sends the pages over the link into the target, by hand: what the engine does with a stream in between.
fn copy(world: &mut World, pfns: &[Pfn], link: &mut SimLink, wire: &mut SimWire, target: &mut SimTarget) {
    let batch = world.source.batch(pfns).unwrap();
    link.send(&[], &batch.runs().collect::<Vec<_>>()).unwrap();
    let there = target.snapshot();
    let is_there = |e: &&engine::PageEntry| there[e.pfn.index()].is_some();
    let (data, holes): (Vec<_>, Vec<_>) = batch.entries().iter().partition(|e| e.kind.has_data());
    let new: Vec<_> = data.iter().copied().filter(|e| !is_there(e)).map(|e| e.pfn).collect();
    let gone: Vec<_> = holes.into_iter().filter(|e| is_there(e)).map(|e| e.pfn).collect();
    target.populate(&new).unwrap();
    target.depopulate(&gone).unwrap();
    let data: Vec<_> = data.into_iter().copied().collect();
    target.write(&data, wire).unwrap();
}

#[test]
fn a_precopy_by_hand_gives_the_same_memory() {
    // A page takes a second on the link, so all of this happens while pages are sent.
    let page_bits = PAGE_SIZE as u64 * 8;
    let mut world = World::new(events([
        at(1, Event::Write(Pfn(0), Content(1))),
        at(2, Event::BalloonOut(Pfn(1))),
        at(3, Event::BalloonIn(Pfn(3))),
        at(8, Event::Write(Pfn(3), Content(2))),
        at(9, Event::Write(Pfn(7), Content(3))),
        at(10, Event::BalloonIn(Pfn(1))),
        at(1000, Event::Write(Pfn(6), Content(4))),
    ]));
    let mut wire = SimWire::new();
    let mut link = SimLink::new(&world.clock, &wire).at_rate(page_bits);
    let mut target = SimTarget::new(PAGES);
    target.begin(&world.source.header()).unwrap();
    world.tracker.start().unwrap();
    let mut sends: Vec<Pfn> = (0..PAGES).map(Pfn).collect();
    let mut rounds = 0;
    while !sends.is_empty() {
        copy(&mut world, &sends, &mut link, &mut wire, &mut target);
        sends = world.harvest(Harvest::Live).into_iter().map(Pfn).collect();
        rounds += 1;
    }
    world.toolstack.suspend().unwrap();
    assert_eq!(world.harvest(Harvest::Final), []);
    for record in world.source.records_after_memory().unwrap() {
        target.record(record).unwrap();
    }
    target.complete().unwrap();
    assert_eq!(target.snapshot(), world.guest.snapshot());
    assert_eq!(target.events_applied(), Some(6));
    // All but the hole; 0 and 3, while 1 is a hole; 3 and 7; 1, which is back.
    assert_eq!(rounds, 4);
    assert_eq!(world.clock.now(), seconds(7 + 2 + 2 + 1));
}
