//! The downtime counts from when the guest stopped, whatever those do who hear of it.

use std::time::Duration;

use engine::{
    Abort, Context, Event, Observer, SaveOptions, Source, StreamSink, Threads, libxc::DomainKind, save,
};
use policy::{bandwidth, stop};
use sim::{ConstantRate, SimConfig, SimGuest, SimLink, SimWire, VirtualClock};

const PAGES: u64 = 1 << 10;
/// 1 Gbit/s.
const RATE: u64 = 1_000_000_000;

/// Takes its time when the guest is suspended; remembers when it heard of it.
struct Slow<'a> {
    clock: &'a VirtualClock,
    heard: Duration,
}

impl Observer for Slow<'_> {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        if matches!(event, Event::Suspended) {
            self.heard = at;
            self.clock.advance(Duration::from_millis(5));
        }
    }
}

#[test]
fn who_hears_late_of_it_does_not_shorten_the_downtime() {
    let (clock, abort) = (VirtualClock::new(), Abort::new());
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let guest = SimGuest::new(&config, ConstantRate::new(1000, 0..PAGES), &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting()).at_rate(RATE);
    let mut sink = StreamSink::new(link, DomainKind::Hvm, &clock, &abort);
    let (stop, bandwidth) = (stop::by_name("xen"), bandwidth::by_name("unlimited"));
    let mut options = SaveOptions {
        threads: Threads::Inline,
        ..SaveOptions::live(stop.expect("a policy"), bandwidth.expect("a policy"))
    };
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut slow = Slow { clock: &clock, heard: Duration::ZERO };
    let mut context = Context { clock: &clock, observer: &mut slow, abort: &abort };
    let report = save(source, &mut sink, &mut options, &mut context).expect("a save");
    assert_eq!((report.downtime.stopped, report.downtime.suspended), (slow.heard, slow.heard));
    assert!(report.downtime.last_harvest >= slow.heard + Duration::from_millis(5));
}
