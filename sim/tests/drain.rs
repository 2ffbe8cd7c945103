//! What the link still holds is delivered before the guest is stopped.

use std::io;
use std::time::Duration;

use engine::{
    Abort, Clock, Context, Event, GuestPage, Link, Observer, SaveOptions, Source, StreamSink, Threads,
    libxc::DomainKind, save,
};
use policy::{bandwidth, stop};
use sim::{ConstantRate, SimConfig, SimGuest, SimLink, SimWire, VirtualClock};

const PAGES: u64 = 1 << 12;

/// A link that delivers each byte this long after it took it.
struct Late {
    link: SimLink,
    clock: VirtualClock,
    by: Duration,
    delivered: Duration,
}

impl Link for Late {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.link.send(head, pages)?;
        self.delivered = self.clock.now() + self.by;
        Ok(())
    }

    fn in_flight(&self) -> u64 {
        u64::from(self.clock.now() < self.delivered)
    }
}

/// When the last round ended, and when the guest was stopped.
#[derive(Default)]
struct Moments {
    round: Duration,
    suspended: Duration,
}

impl Observer for Moments {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        match event {
            Event::Round(_) => self.round = at,
            Event::Suspended => self.suspended = at,
            _ => {}
        }
    }
}

/// How long after the last round the guest is stopped, on a link that is late by that much.
fn waits(by: Duration) -> Duration {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::counting(), Abort::new());
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let guest = SimGuest::new(&config, ConstantRate::new(1000, 0..PAGES), &clock).without_content();
    let link = SimLink::new(&clock, &wire).at_rate(1_000_000_000);
    let link = Late { link, clock: clock.clone(), by, delivered: Duration::ZERO };
    let mut sink = StreamSink::new(link, DomainKind::Hvm, &clock, &abort);
    let (stop, bandwidth) = (stop::by_name("xen"), bandwidth::by_name("unlimited"));
    let mut options = SaveOptions {
        threads: Threads::Inline,
        ..SaveOptions::live(stop.expect("a policy"), bandwidth.expect("a policy"))
    };
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut moments = Moments::default();
    let mut context = Context { clock: &clock, observer: &mut moments, abort: &abort };
    save(source, &mut sink, &mut options, &mut context).expect("a save");
    moments.suspended - moments.round
}

#[test]
fn the_guest_runs_on_until_the_link_is_empty() {
    assert_eq!(waits(Duration::ZERO), Duration::ZERO);
    let waited = waits(Duration::from_millis(30));
    assert!((30..32).contains(&waited.as_millis()), "{waited:?}");
}

#[test]
fn a_link_that_never_empties_is_not_waited_for_for_ever() {
    let waited = waits(Duration::from_secs(60));
    assert!((1000..1010).contains(&waited.as_millis()), "{waited:?}");
}
