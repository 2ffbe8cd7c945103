//! What the looks at the dirty pages within the rounds may cost.

use std::time::Duration;

use engine::{Peeks, SaveOptions};
use policy::{bandwidth, stop};
use sim::{ConstantRate, SimConfig, SimGuest, SimLink, SimWire, VirtualClock, forecast};

/// 128 MiB, which the link takes about 9 s for.
const PAGES: u64 = 1 << 15;
const LINK: u64 = 117_000_000;

/// The peeks of a migration, each of which takes that long, and the time of its rounds.
fn peeks(takes: Duration) -> (Peeks, Duration) {
    let clock = VirtualClock::new();
    let config = SimConfig { pages: PAGES, peek_takes: takes, ..SimConfig::default() };
    let guest = SimGuest::new(&config, ConstantRate::new(1000, 0..PAGES), &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting()).at_rate(LINK);
    let (stop, bandwidth) = (stop::by_name("xen"), bandwidth::by_name("unlimited"));
    let mut options = SaveOptions::live(stop.expect("a policy"), bandwidth.expect("a policy"));
    options.batch = 64;
    let report = forecast(&guest, link, &clock, &mut options).expect("a migration");
    (report.peeks, report.rounds.iter().map(|round| round.duration).sum())
}

#[test]
fn cheap_ones_come_as_often_as_they_are_asked_for() {
    let (peeks, rounds) = peeks(Duration::from_millis(2));
    let share = peeks.number as f64 / (rounds.as_secs_f64() / 0.1);
    assert!((0.8..=1.0).contains(&share), "{peeks:?} in {rounds:?}");
}

#[test]
fn costly_ones_get_at_most_a_twentieth_of_the_time() {
    let takes = Duration::from_millis(50);
    let (peeks, rounds) = peeks(takes);
    assert!(
        peeks.number >= 3 && peeks.time == takes * u32::try_from(peeks.number).expect("a few"),
        "{peeks:?}"
    );
    assert!(peeks.time <= rounds / 20 + takes, "{peeks:?} in {rounds:?}");
}
