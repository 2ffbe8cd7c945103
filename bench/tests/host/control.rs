//! Who controls a guest, and what happens when the controller dies.

use std::time::Instant;

use engine::{DirtyTracker, SourceDomain, Toolstack};
use ffi::host::protocol::{Request, Status};
use ffi::host::{HostError, TrackerChoice, names};

use crate::guests::{World, config, ready_to_die, until};

#[test]
fn one_controller_at_a_time() {
    let world = World::new("one");
    world.run(&config("web", "idle"));
    let guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    let second = world.host.attach("web", TrackerChoice::Auto).unwrap_err();
    assert_eq!(second.to_string(), "guest web: busy: another process controls it");
    let stop = world.host.order("web", &Request::Stop).unwrap_err();
    assert!(stop.to_string().contains("busy"));
    drop(guest);
    until("the first controller's end is noticed", || world.host.attach("web", TrackerChoice::Auto).is_ok());
}

#[test]
fn suspend_stops_the_guest_and_resume_continues_it() {
    let world = World::new("suspend");
    world.run(&config("web", "pagemod:rate=max"));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    assert!(guest.source.records_after_memory().is_err(), "no state while it runs");
    let asked = Instant::now();
    let stood = guest.toolstack.suspend().unwrap();
    assert!(stood.is_some_and(|stood| stood <= asked.elapsed()), "{stood:?}");
    let (info, hash) = (world.host.info("web").unwrap(), world.host.hash("web").unwrap());
    assert_eq!(info.status, Status::Suspended);
    assert!(world.host.order("web", &Request::Resume).unwrap_err().to_string().contains("busy"));
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(world.host.hash("web").unwrap(), hash);
    let later = world.host.info("web").unwrap();
    assert_eq!((later.writes, later.uptime_ns), (info.writes, info.uptime_ns));
    guest.toolstack.resume().unwrap();
    guest.toolstack.resume().unwrap();
    until("it writes again", || world.host.info("web").unwrap().writes > info.writes);
    let gap = || world.host.info("web").unwrap().last_migration_gap_ns;
    until("it ticks again", || gap().is_some());
    assert!(gap() >= Some(20_000_000), "the guest saw a gap of {:?} ns", gap());
}

#[test]
fn a_pause_survives_a_migration_that_fails() {
    let world = World::new("pause");
    world.run(&config("web", "idle"));
    world.host.order("web", &Request::Pause).unwrap();
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    guest.toolstack.suspend().unwrap();
    guest.toolstack.resume().unwrap();
    assert_eq!(world.status("web"), Status::Paused);
    world.host.order("web", &Request::Resume).unwrap();
    assert_eq!(world.status("web"), Status::Running);
}

/// Helper: suspends the guest `web` with tracking on, and waits for its death.
#[test]
fn helper_suspends() {
    let Some(host) = World::of_helper() else { return };
    let mut guest = host.attach("web", TrackerChoice::Auto).unwrap();
    guest.tracker.start().unwrap();
    guest.toolstack.suspend().unwrap();
    ready_to_die(&host);
}

#[test]
fn a_killed_controller_leaves_the_guest_running_and_untracked() {
    let world = World::new("killed");
    world.run(&config("web", "pagemod"));
    let mut helper = world.spawn_helper("control::helper_suspends");
    let info = world.host.info("web").unwrap();
    assert_eq!(info.status, Status::Suspended);
    assert!(info.tracking.is_some());
    helper.kill().unwrap();
    helper.wait().unwrap();
    until("the guest runs again", || world.status("web") == Status::Running);
    let after = world.host.info("web").unwrap();
    assert_eq!(after.tracking, None);
    until("the guest writes again", || world.host.info("web").unwrap().writes > info.writes);
}

/// Helper: gives the guest `web` away, and waits for its death.
#[test]
fn helper_gives_away() {
    let Some(host) = World::of_helper() else { return };
    let mut guest = host.attach("web", TrackerChoice::Auto).unwrap();
    guest.toolstack.suspend().unwrap();
    guest.handle.give_away().unwrap();
    ready_to_die(&host);
}

#[test]
fn a_guest_that_was_given_away_stays_so_until_somebody_decides() {
    let world = World::new("away");
    world.run(&config("web", "pagemod"));
    let mut helper = world.spawn_helper("control::helper_gives_away");
    helper.kill().unwrap();
    helper.wait().unwrap();
    let away = [names::migrated_away("web")];
    assert_eq!(world.host.list().unwrap(), away);
    // The order succeeds as soon as the guest has noticed the death of its controller.
    until("it is taken back", || {
        assert_eq!(world.host.list().unwrap(), away);
        world.host.order(&away[0], &Request::Resume).is_ok()
    });
    assert_eq!(world.host.list().unwrap(), ["web"]);
    assert_eq!(world.status("web"), Status::Running);
}

#[test]
fn a_hand_over_can_be_taken_back_or_made_final() {
    let world = World::new("hand-over");
    world.run(&config("web", "pagemod"));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    assert!(guest.handle.give_away().is_err(), "it runs");
    assert!(guest.handle.take_back().is_err(), "it was not given away");
    guest.toolstack.suspend().unwrap();
    guest.handle.give_away().unwrap();
    assert!(guest.toolstack.resume().is_err(), "it is another host's");
    guest.handle.take_back().unwrap();
    assert_eq!(world.status("web"), Status::Running);
    guest.toolstack.suspend().unwrap();
    guest.handle.give_away().unwrap();
    guest.handle.destroy().unwrap();
    drop(guest);
    assert_eq!(world.host.list().unwrap(), Vec::<String>::new());
    assert!(matches!(world.host.info("web"), Err(HostError::NotRunning { .. })));
}

#[test]
fn orders_that_cannot_be_are_refused() {
    let world = World::new("refused");
    world.run(&config("web", "idle"));
    for (request, reason) in [
        (Request::Balloon { pages: 0 }, "allowed are 1 to 32768"),
        (Request::Balloon { pages: u64::MAX }, "allowed are 1 to 32768"),
        (Request::Suspend, "only its controller"),
        (Request::Destroy, "only its controller"),
        (Request::Start { paused: false }, "only its controller"),
    ] {
        let error = world.host.order("web", &request).unwrap_err().to_string();
        assert!(error.contains(reason), "{request:?}: {error}");
    }
    assert!(matches!(world.host.run(&config("web", "idle"), false), Err(HostError::Taken(_))));
    assert!(matches!(world.host.run(&config("../web", "idle"), false), Err(HostError::Name { .. })));
    let unknown = world.host.run(&config("other", "dance"), false).unwrap_err();
    assert!(unknown.to_string().contains("no such workload; there are: idle"), "{unknown}");
    assert_eq!(world.host.list().unwrap(), ["web"]);
}
