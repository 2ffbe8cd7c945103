//! What the link still holds is delivered before the guest is stopped.

use std::io;
use std::time::Duration;

use engine::{
    Abort, Context, Event, GuestPage, Link, Observer, SaveOptions, Source, StreamSink, Threads, Undelivered,
    libxc::DomainKind, save,
};
use policy::{bandwidth, stop};
use sim::{ConstantRate, SimConfig, SimGuest, SimLink, SimWire, VirtualClock};

const PAGES: u64 = 1 << 12;
/// 1 Gbit/s.
const RATE: u64 = 1_000_000_000;

/// A link whose other side may have read all but so many.
struct Unread {
    link: SimLink,
    bytes: u64,
}

impl Link for Unread {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.link.send(head, pages)
    }

    fn undelivered(&self) -> Undelivered {
        Undelivered { unread: self.bytes, ..self.link.undelivered() }
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

/// How long after the last round the guest is stopped, on a link that is late by that much, and may always have so much
/// that is not read.
fn waits(by: Duration, unread: u64) -> Duration {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::counting(), Abort::new());
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let guest = SimGuest::new(&config, ConstantRate::new(1000, 0..PAGES), &clock).without_content();
    let link = SimLink::new(&clock, &wire).at_rate(RATE).late_by(by);
    let link = Unread { link, bytes: unread };
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
    assert_eq!(waits(Duration::ZERO, 0), Duration::ZERO);
    let waited = waits(Duration::from_millis(30), 0);
    assert!((30..32).contains(&waited.as_millis()), "{waited:?}");
}

#[test]
fn the_guest_runs_on_while_the_other_side_may_read() {
    // 5,000,000 bytes take 40 ms, from when they are the only ones left.
    let (at_once, late) = (waits(Duration::ZERO, 5_000_000), waits(Duration::from_millis(30), 5_000_000));
    assert!((39..42).contains(&at_once.as_millis()), "{at_once:?}");
    assert!((69..73).contains(&late.as_millis()), "{late:?}");
}

#[test]
fn a_link_that_never_empties_is_not_waited_for_for_ever() {
    let waited = waits(Duration::from_secs(60), 0);
    assert!((1000..1010).contains(&waited.as_millis()), "{waited:?}");
}
