//! The workloads in real guests.

use std::time::Duration;

use ffi::host::{GuestConfig, TrackerChoice};

use crate::guests::{World, config, until};
use crate::image::Image;

#[test]
fn a_rate_is_kept() {
    let world = World::new("rate");
    for vcpus in [1, 2] {
        let name = format!("web{vcpus}");
        world.run(&GuestConfig { vcpus, ..config(&name, "pagemod:rate=30000") });
        std::thread::sleep(Duration::from_secs(2));
        let rate = world.host.info(&name).unwrap().rate;
        assert!((28_500.0..31_500.0).contains(&rate), "{vcpus} vCPUs: {rate} writes/s");
        world.host.order(&name, &ffi::host::protocol::Request::Stop).unwrap();
    }
}

#[test]
fn bursts_rest_and_idle_guests_write_nothing() {
    let world = World::new("burst");
    world.run(&config("burst", "burst:rate=20000,on=100ms,off=300ms"));
    world.run(&config("idle", "idle"));
    std::thread::sleep(Duration::from_secs(2));
    let rate = world.host.info("burst").unwrap().rate;
    assert!((4_000.0..6_500.0).contains(&rate), "{rate} writes/s");
    assert_eq!(world.host.info("idle").unwrap().writes, 0);
}

#[test]
fn the_same_seed_makes_the_same_guest() {
    let world = World::new("seed");
    let digest = |name: &str, seed| {
        world.run(&GuestConfig { seed, ..config(name, "idle") });
        world.host.hash(name).unwrap().digest
    };
    let first = digest("a", 7);
    assert_eq!(first, digest("b", 7));
    assert_ne!(first, digest("c", 8));
}

#[test]
fn vcpus_keep_to_their_share() {
    let world = World::new("share");
    world.run(&GuestConfig { pages: 1000, vcpus: 3, ..config("web", "pagemod:rate=max") });
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    let start = Image::of(&mut guest.source);
    until("all pages of all shares are written", || {
        Image::of(&mut guest.source).differences(&start).len() == 1000
    });
}
