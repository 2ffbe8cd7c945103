//! The policies that decide in the simulator decide on a real guest.

use engine::{Abort, Context, SaveOptions, SaveReport, Source, StreamSink, WallClock, libxc::DomainKind};
use ffi::host::{GuestConfig, TrackerChoice};
use policy::bandwidth::{self, BandwidthPolicy};
use policy::stop::{self, StopPolicy};
use sim::{SimLink, SimWire, VirtualClock, Witnessed};

use crate::guests::{World, config};

/// 32 MiB, a third of a second at [`RATE`].
const SMALL: u64 = 8192;
/// 24,000 pages/s.
const RATE: &str = "fixed:rate=800M";

/// Sends a real guest with this workload nowhere, under these policies.
fn migrate(workload: &str, stop: Box<dyn StopPolicy>, bandwidth: Box<dyn BandwidthPolicy>) -> SaveReport {
    let world = World::new(&format!("{}-{}", stop.name(), bandwidth.name()));
    world.run(&GuestConfig { pages: SMALL, ..config("web", workload) });
    let mut guest = world.host.attach("web", TrackerChoice::Auto).unwrap();
    let (clock, abort) = (WallClock::start(), Abort::new());
    let nowhere = SimLink::new(&VirtualClock::new(), &SimWire::counting());
    let mut sink = StreamSink::new(nowhere, DomainKind::Hvm, &clock, &abort);
    let source =
        Source { domain: &mut guest.source, tracker: &mut guest.tracker, toolstack: &mut guest.toolstack };
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    engine::save(source, &mut sink, &mut SaveOptions::live(stop, bandwidth), &mut context).unwrap()
}

#[test]
fn the_stop_policies_of_the_simulator_decide() {
    // ITC and a downtime have no bound on rounds of their own.
    let bounded = ["any(itc,fni:n=9)", "any(downtime:50ms,fni:n=9)"];
    for name in ["xen", "hybrid:remaining=4M,rounds=9", "am:window=3", "fm"].iter().chain(&bounded) {
        let fresh = || stop::by_name(name).unwrap();
        let (policy, notes) = Witnessed::new(fresh());
        let report = migrate("pagemod:rate=20000", Box::new(policy), bandwidth::by_name(RATE).unwrap());
        assert!(notes.obeyed_by(&report), "{name}: {notes:?} {report:?}");
        assert_eq!(notes.again(fresh().as_mut()), notes.answers(), "{name}");
    }
}

#[test]
fn the_bandwidth_policies_of_the_simulator_decide() {
    for name in ["bda:link=800M", "incremental:start=400M,step=100M,cap=800M"] {
        let fresh = || bandwidth::by_name(name).unwrap();
        let (policy, notes) = Witnessed::new(fresh());
        let report = migrate("pagemod:rate=4000", stop::by_name("xen").unwrap(), Box::new(policy));
        assert!(notes.obeyed_by(&report), "{name}: {notes:?} {report:?}");
        assert_eq!(notes.again(fresh().as_mut()), notes.answers(), "{name}");
    }
}
