//! No write is lost, and none is invented.

use std::time::Duration;

use engine::{DirtyTracker, Harvest, PfnSet, SourceDomain, Toolstack};
use ffi::host::protocol::{Request, Status};
use ffi::host::{GuestConfig, HostGuest, TrackerChoice, TrackerKind};

use crate::guests::{PAGES, World, config, until};
use crate::image::Image;

/// A page is in the harvest if and only if its content changed since tracking began: every write of a workload
/// changes content.
fn is_exact(world: &World, guest: &mut HostGuest, name: &str) {
    guest.toolstack.suspend().unwrap();
    guest.tracker.start().unwrap();
    let before = Image::of(&mut guest.source);
    let writes = || world.host.info(name).unwrap().writes;
    let start = writes();
    guest.toolstack.resume().unwrap();
    until("20,000 pages are written", || writes() - start >= 20_000);
    guest.toolstack.suspend().unwrap();

    let mut peeked = PfnSet::empty(PAGES);
    guest.tracker.peek(&mut peeked).unwrap();
    let mut dirty = PfnSet::empty(PAGES);
    guest.tracker.harvest(&mut dirty, Harvest::Final).unwrap();
    assert_eq!(peeked, dirty, "peek forgets nothing");
    let changed = Image::of(&mut guest.source).differences(&before);
    let dirty: Vec<u64> = dirty.iter().map(|pfn| pfn.0).collect();
    assert!(changed.len() >= 20_000);
    assert_eq!(changed, dirty, "missed 0, extra 0");

    let mut again = PfnSet::empty(PAGES);
    guest.tracker.harvest(&mut again, Harvest::Final).unwrap();
    assert!(again.is_empty(), "a harvest forgets what it found");
    guest.tracker.stop().unwrap();
    guest.toolstack.resume().unwrap();
}

#[test]
fn wp_async_is_exact() {
    let world = World::new("exact");
    world.run(&GuestConfig { vcpus: 1, ..config("web", "pagemod:rate=100000") });
    let choice = TrackerChoice::Only(TrackerKind::WpAsync);
    let mut guest = world.host.attach("web", choice).unwrap();
    is_exact(&world, &mut guest, "web");
    // Tracking can begin anew on the same guest.
    is_exact(&world, &mut guest, "web");
    assert_eq!(world.host.info("web").unwrap().tracking, None);
}

#[test]
fn soft_dirty_is_exact_or_refuses_clearly() {
    let world = World::new("soft-dirty");
    world.run(&GuestConfig { vcpus: 1, ..config("web", "pagemod:rate=100000") });
    let mut guest = world.host.attach("web", TrackerChoice::Only(TrackerKind::SoftDirty)).unwrap();
    match guest.tracker.start() {
        Ok(()) => {
            guest.tracker.stop().unwrap();
            is_exact(&world, &mut guest, "web");
        }
        Err(e) => {
            let text = e.to_string();
            assert!(text.contains("no way to track the writes of guest web"), "{text}");
            // The kernel has no such bits, or this user may not lock the memory, which they need.
            let reasons =
                ["soft-dirty: the kernel's record of writes is not exact", "cannot lock the guest's memory"];
            assert!(reasons.iter().any(|reason| text.contains(reason)), "{text}");
            let info = world.host.info("web").unwrap();
            assert_eq!((info.tracking, info.status), (None, Status::Running));
        }
    }
}

#[test]
fn a_live_writer_loses_nothing() {
    let world = World::new("live");
    world.run(&config("web", "zipf:rate=max,s=0.6"));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    guest.tracker.start().unwrap();
    let mut copy = Image::of(&mut guest.source);
    for _ in 0..7 {
        let mut dirty = PfnSet::empty(PAGES);
        guest.tracker.harvest(&mut dirty, Harvest::Live).unwrap();
        copy.copy(&mut guest.source, &dirty);
    }
    guest.toolstack.suspend().unwrap();
    let now = Image::of(&mut guest.source);
    assert!(!now.differences(&copy).is_empty(), "the control: without the last copy pages differ");

    let mut dirty = PfnSet::empty(PAGES);
    guest.tracker.harvest(&mut dirty, Harvest::Final).unwrap();
    copy.copy(&mut guest.source, &dirty);
    assert_eq!(now.differences(&copy).len(), 0, "pages that differ after the last copy");
    assert_eq!(copy.digest(PAGES), world.host.hash("web").unwrap().digest);
}

#[test]
fn the_balloon_is_tracked_too() {
    let world = World::new("balloon");
    world.run(&config("web", "zipf:rate=50000,s=0.5"));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    guest.tracker.start().unwrap();
    let mut copy = Image::of(&mut guest.source);
    for pages in [PAGES / 2, PAGES, PAGES / 4, PAGES * 3 / 4, PAGES / 2] {
        world.host.order("web", &Request::Balloon { pages }).unwrap();
        // In the middle of the balloon's work too, not only at its ends.
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(10));
            let mut dirty = PfnSet::empty(PAGES);
            guest.tracker.harvest(&mut dirty, Harvest::Live).unwrap();
            copy.copy(&mut guest.source, &dirty);
        }
    }
    until("the balloon is where it should be", || world.host.info("web").unwrap().populated == PAGES / 2);
    guest.toolstack.suspend().unwrap();
    let mut dirty = PfnSet::empty(PAGES);
    guest.tracker.harvest(&mut dirty, Harvest::Final).unwrap();
    copy.copy(&mut guest.source, &dirty);
    let hash = world.host.hash("web").unwrap();
    assert_eq!(hash.populated, PAGES / 2);
    assert_eq!(copy.digest(PAGES), hash.digest);

    let (all, mut types) = (PfnSet::full(PAGES), Vec::new());
    guest.source.page_types(&all.iter().collect::<Vec<_>>(), &mut types).unwrap();
    assert_eq!(types.iter().filter(|t| t.has_data()).count() as u64, PAGES / 2);
}
