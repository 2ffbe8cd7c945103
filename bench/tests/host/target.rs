//! Guests that are built from a stream.

use std::fs;

use engine::libxc::{DomainHeader, DomainKind, HvmParam, Record};
use engine::{
    DirtyTracker, Harvest, PageEntry, PageType, Pfn, PfnSet, SourceDomain, TargetDomain, TargetMemory,
    Toolstack,
};
use ffi::host::protocol::{Request, Status};
use ffi::host::{GuestConfig, HostError, NameUse, TrackerChoice, names};

use crate::guests::{PAGES, World, config, ready_to_die, until};
use crate::{image::Image, move_guest};

#[test]
fn a_moved_guest_is_the_same_guest() {
    let world = World::new("moved");
    world.run(&config("web", "zipf:rate=50000"));
    world.host.order("web", &Request::Balloon { pages: PAGES / 2 }).unwrap();
    until("the balloon is small", || world.host.info("web").unwrap().populated == PAGES / 2);

    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    let config = guest.handle.config().clone();
    let mut target = world.host.create(config, "web", NameUse::FreeAtStart).unwrap();
    assert_eq!(world.host.list().unwrap(), ["web", "web--incoming"]);
    guest.toolstack.suspend().unwrap();
    move_guest::copy(&mut guest.source, &mut target);
    target.complete().unwrap();
    let state = guest.source.records_after_memory().unwrap();
    guest.handle.give_away().unwrap();
    target.start(true).unwrap();

    let before = world.host.info("web--migratedaway").unwrap();
    let after = world.host.info("web").unwrap();
    assert_eq!((before.status, after.status), (Status::GivenAway, Status::Paused));
    assert_eq!((after.writes, after.uptime_ns), (before.writes, before.uptime_ns));
    assert_eq!((after.migrations, after.populated), (1, PAGES / 2));
    assert_eq!(world.host.hash("web").unwrap(), world.host.hash("web--migratedaway").unwrap());
    guest.handle.destroy().unwrap();

    // Its registers came over exactly: suspended anew before it ran, it tells the same state but for the journey.
    let mut moved = world.host.attach("web", TrackerChoice::Auto).unwrap();
    moved.toolstack.suspend().unwrap();
    let [Record::TscInfo(old), Record::HvmContext(old_state)] = &state[..] else { panic!("{state:?}") };
    let records = moved.source.records_after_memory().unwrap();
    let [Record::TscInfo(new), Record::HvmContext(new_state)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((new.nsec, new.incarnation), (old.nsec, old.incarnation + 1));
    assert_eq!(vcpus(new_state), vcpus(old_state));
    moved.toolstack.resume().unwrap();

    world.host.order("web", &Request::Resume).unwrap();
    until("it writes on", || world.host.info("web").unwrap().writes > before.writes);
    let gap = || world.host.info("web").unwrap().last_migration_gap_ns;
    until("it ticks again", || gap().is_some());
    assert!(gap() >= Some(1_000_000), "the guest saw a gap of {:?} ns", gap());
    // And it can be tracked and moved again.
    moved.tracker.start().unwrap();
    let mut dirty = PfnSet::empty(PAGES);
    until("a write is seen", || {
        moved.tracker.harvest(&mut dirty, Harvest::Live).unwrap();
        !dirty.is_empty()
    });
}

/// The vCPUs in an HVM context, as text.
fn vcpus(context: &[u8]) -> String {
    let text = String::from_utf8_lossy(context);
    let start = text.find("\"vcpus\"").unwrap();
    text[start..].split(']').next().unwrap().to_owned()
}

#[test]
fn a_restored_guest_goes_on_exactly_where_it_was() {
    let world = World::new("exactly");
    world.run(&GuestConfig { vcpus: 1, ..config("web", "pagemod:rate=20000") });
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    guest.toolstack.suspend().unwrap();
    let mut target = world.host.create(guest.handle.config().clone(), "twin", NameUse::FreeNow).unwrap();
    move_guest::copy(&mut guest.source, &mut target);
    target.complete().unwrap();
    target.start(true).unwrap();
    let mut twin = world.host.attach("twin", TrackerChoice::Auto).unwrap();
    assert!(Image::of(&mut guest.source) == Image::of(&mut twin.source));

    // Both write the same pages in the same order; whoever did fewer writes differs exactly by the missing ones.
    guest.toolstack.resume().unwrap();
    world.host.order("twin", &Request::Resume).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    guest.toolstack.suspend().unwrap();
    twin.toolstack.suspend().unwrap();
    let writes = |name| world.host.info(name).unwrap().writes;
    let missing = writes("web").abs_diff(writes("twin"));
    let differ = Image::of(&mut guest.source).differences(&Image::of(&mut twin.source)).len() as u64;
    assert_eq!(differ, missing.min(PAGES));
}

#[test]
fn a_target_that_took_its_memory_before_is_the_same_guest() {
    let world = World::new("reserved");
    world.run(&config("web", "idle"));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    guest.toolstack.suspend().unwrap();
    let mut target = world.host.create(guest.handle.config().clone(), "twin", NameUse::FreeNow).unwrap();
    target.reserve().unwrap();
    move_guest::copy(&mut guest.source, &mut target);
    target.complete().unwrap();
    target.start(true).unwrap();
    let mut twin = world.host.attach("twin", TrackerChoice::Auto).unwrap();
    assert!(Image::of(&mut guest.source) == Image::of(&mut twin.source));
}

#[test]
fn a_target_that_is_dropped_leaves_nothing() {
    let world = World::new("dropped");
    let mut target = world.host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    target.populate(&[Pfn(3)]).unwrap();
    let pid = world.host.info("web--incoming").unwrap().pid;
    drop(target);
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "the process is reaped");
    assert_eq!(world.host.list().unwrap(), Vec::<String>::new());
}

#[test]
fn an_incoming_guest_without_state_cannot_start() {
    let world = World::new("no-state");
    let mut target = world.host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    assert!(target.complete().unwrap_err().to_string().contains("without HVM_CONTEXT"));
    assert!(target.start(false).unwrap_err().to_string().contains("its state is not loaded"));
    assert_eq!(world.host.list().unwrap(), Vec::<String>::new());
}

#[test]
fn a_taken_name_shows_before_memory_moves() {
    let world = World::new("taken");
    world.run(&config("web", "idle"));
    let taken = world.host.create(config("web", "idle"), "web", NameUse::FreeNow);
    assert!(matches!(taken, Err(HostError::Taken(name)) if name == "web"));
    let first = world.host.create(config("web", "idle"), "web", NameUse::FreeAtStart).unwrap();
    let second = world.host.create(config("web", "idle"), "web", NameUse::FreeAtStart).unwrap_err();
    assert!(second.to_string().contains("a running guest has the name web--incoming already"), "{second}");
    // The failed one took nothing of the first one with it.
    assert_eq!(world.status("web--incoming"), Status::Incoming);
    drop(first);
}

/// Helper: builds a guest, and waits for its death.
#[test]
fn helper_builds() {
    let Some(host) = World::of_helper() else { return };
    let mut target = host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    target.populate(&[Pfn(3)]).unwrap();
    ready_to_die(&host);
}

#[test]
fn an_incoming_guest_dies_with_its_builder() {
    let world = World::new("builder");
    let mut helper = world.spawn_helper("target::helper_builds");
    assert_eq!(world.host.list().unwrap(), [names::incoming("web")]);
    helper.kill().unwrap();
    helper.wait().unwrap();
    until("the incoming guest is gone", || world.host.list().unwrap().is_empty());
}

#[test]
fn pages_come_and_go() {
    let world = World::new("pages");
    let mut target = world.host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    let page = |pfn| PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab };
    let mut out = [0; engine::PAGE_SIZE];
    target.populate(&[Pfn(5), Pfn(6), Pfn(1)]).unwrap();
    let data: Vec<u8> = [5, 6, 1].into_iter().flat_map(|n| [n; engine::PAGE_SIZE]).collect();
    target.write(&[page(5), page(6), page(1)], &mut &data[..]).unwrap();
    for pfn in [1, 5, 6] {
        target.read(page(pfn), &mut out).unwrap();
        assert!(out.iter().all(|&b| u64::from(b) == pfn));
    }
    target.depopulate(&[Pfn(5)]).unwrap();
    target.populate(&[Pfn(5)]).unwrap();
    target.read(page(5), &mut out).unwrap();
    assert_eq!(out, [0; engine::PAGE_SIZE], "a page that came back is zero");
    let short = target.write(&[page(5)], &mut &data[..100]).unwrap_err();
    assert_eq!(short.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_does_not_fit_is_refused() {
    let world = World::new("unfit");
    let mut target = world.host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    let pv = DomainHeader { kind: DomainKind::Pv, xen_major: 4, xen_minor: 17 };
    assert!(target.begin(&pv).unwrap_err().to_string().contains("PV guest"));
    let params = Record::HvmParams(vec![HvmParam { index: 1, value: 2 }]);
    let error = target.record(params).unwrap_err().to_string();
    assert_eq!(error, "a host guest cannot take a record HvmParams");
    assert!(target.record(Record::HvmContext(vec![1, 2, 3])).is_err());

    // The state of a guest with another number of vCPUs.
    world.run(&GuestConfig { vcpus: 3, ..config("other", "idle") });
    let mut other = world.host.attach("other", TrackerChoice::Auto).unwrap();
    other.toolstack.suspend().unwrap();
    let context = other.source.records_after_memory().unwrap().pop().unwrap();
    let error = target.record(context).unwrap_err().to_string();
    assert_eq!(error, "guest state: number of vCPUs is 3, allowed is 2");

    for bad in [
        GuestConfig { pages: u64::MAX, ..config("bad", "idle") },
        GuestConfig { vcpus: 0, ..config("bad", "idle") },
        config("bad", "no-such-workload"),
    ] {
        assert!(world.host.create(bad, "bad", NameUse::FreeNow).is_err());
    }
}
