//! The policy that decides in the simulator decides on a real guest.

use engine::{Abort, Context, SaveOptions, SaveReport, Source, StreamSink, WallClock, libxc::DomainKind};
use ffi::host::TrackerChoice;
use policy::bandwidth;
use policy::stop::{Decision, by_name};
use sim::{ConstantRate, Notes, SimConfig, SimGuest, SimLink, SimWire, VirtualClock, Witnessed, forecast};

use crate::guests::{PAGES, World, config};

/// 20,000 pages/s, over a link that takes 25,000: enough rounds for policies to differ.
const PAGES_PER_SECOND: u64 = 20_000;
const RATE: &str = "fixed:rate=800M";

fn options(stop: Witnessed) -> SaveOptions {
    SaveOptions::live(Box::new(stop), bandwidth::by_name(RATE).unwrap())
}

fn on_a_simulated_guest(stop: Witnessed) -> SaveReport {
    let clock = VirtualClock::new();
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let guest = SimGuest::new(&config, ConstantRate::new(PAGES_PER_SECOND, 0..PAGES), &clock);
    let link = SimLink::new(&clock, &SimWire::counting());
    forecast(&guest, link, &clock, &mut options(stop)).unwrap()
}

fn on_a_real_guest(stop: Witnessed) -> SaveReport {
    let world = World::new("policies");
    world.run(&config("web", &format!("pagemod:rate={PAGES_PER_SECOND}")));
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    let (clock, abort) = (WallClock::start(), Abort::new());
    let link = SimLink::new(&VirtualClock::new(), &SimWire::counting());
    let mut sink = StreamSink::new(link, DomainKind::Hvm, &clock, &abort);
    let source =
        Source { domain: &mut guest.source, tracker: &mut guest.tracker, toolstack: &mut guest.toolstack };
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    engine::save(source, &mut sink, &mut options(stop), &mut context).unwrap()
}

/// Every decision was obeyed, and is the one that the policy by that name makes of these facts.
fn assert_decided(name: &str, report: &SaveReport, notes: &Notes) {
    let decisions = notes.decisions();
    assert_eq!(decisions.len(), report.rounds.len() + 1, "{name}: {decisions:?}");
    assert_eq!(decisions.last(), Some(&Decision::StopAndCopy(report.stop_reason.clone())), "{name}");
    assert!(decisions.iter().rev().skip(1).all(|decision| *decision == Decision::Continue), "{name}");
    assert_eq!(notes.again(by_name(name).unwrap().as_mut()), decisions, "{name}");
}

#[test]
fn the_same_policies_decide_in_the_simulator_and_on_a_real_guest() {
    for name in ["xen", "itc", "any(downtime:50ms,fni:n=6)", "am:window=3"] {
        for world in [on_a_simulated_guest, on_a_real_guest] {
            let (policy, notes) = Witnessed::new(by_name(name).unwrap());
            assert_decided(name, &world(policy), &notes);
        }
    }
}
