//! The pacer holds the set rate within 2 % over any 100 ms, on a clock that oversleeps as real ones do.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{
    Abort, Clock, Context, GuestPage, Link, PAGE_SIZE, SaveOptions, Source, StreamSink, Threads,
    libxc::DomainKind, save,
};
use policy::bandwidth::{self, BandwidthPolicy, Rate, Stage};
use policy::{Facts, stop};
use sim::{SimConfig, SimGuest, VirtualClock};

/// 64 MiB.
const PAGES: u64 = 16384;
/// 1 MiB, so that the policy is asked about when it is due.
const BATCH: usize = 256;
const WINDOW: Duration = Duration::from_millis(100);

/// A clock whose sleeps end late, each time by another amount up to 0.2 ms.
struct Oversleeping(VirtualClock);

impl Clock for Oversleeping {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep_until(&self, time: Duration) {
        let late = Duration::from_nanos(u64::from(time.subsec_nanos()) * 7919 % 200_000);
        self.0.sleep_until(time + late);
    }
}

/// An endlessly fast link that notes when how much was sent.
#[derive(Clone)]
struct Log {
    clock: VirtualClock,
    sent: Arc<Mutex<Vec<(Duration, usize)>>>,
}

impl Link for Log {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        let bytes = head.len() + pages.iter().map(|run| run.len() * PAGE_SIZE).sum::<usize>();
        self.sent.lock().expect("no panic while locked").push((self.clock.now(), bytes));
        Ok(())
    }
}

fn sent_under(bandwidth: Box<dyn BandwidthPolicy>) -> Vec<(Duration, usize)> {
    let clock = VirtualClock::new();
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let (mut domain, mut tracker, mut toolstack) = SimGuest::new(&config, std::iter::empty(), &clock).split();
    let link = Log { clock: clock.clone(), sent: Arc::default() };
    let (abort, clock) = (Abort::new(), Oversleeping(clock));
    let mut sink = StreamSink::new(link.clone(), DomainKind::Hvm, &clock, &abort);
    let live = SaveOptions::live(Box::new(stop::Xen), bandwidth);
    let mut options = SaveOptions { threads: Threads::Inline, batch: BATCH, ..live };
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    save(source, &mut sink, &mut options, &mut context).expect("a save");
    drop(sink);
    Arc::into_inner(link.sent).expect("the link is gone").into_inner().expect("no panic while locked")
}

/// The worst deviation from `rate` over the windows that start at each send, as a fraction.
fn worst(sent: &[(Duration, usize)], rate: f64) -> f64 {
    let last = sent.last().expect("something was sent").0;
    let expected = rate / 8.0 * WINDOW.as_secs_f64();
    let deviation = |&(start, _): &(Duration, usize)| {
        let within = sent.iter().filter(|(at, _)| *at >= start && *at < start + WINDOW);
        (within.map(|(_, bytes)| *bytes as f64).sum::<f64>() / expected - 1.0).abs()
    };
    sent.iter().filter(|(start, _)| *start + WINDOW <= last).step_by(7).map(deviation).fold(0.0, f64::max)
}

#[test]
fn any_100_ms_are_within_2_percent() {
    for (rate, bits) in [("100M", 1e8), ("250M", 2.5e8), ("1G", 1e9)] {
        let bandwidth = bandwidth::by_name(&format!("fixed:rate={rate}")).expect("a bandwidth policy");
        let worst = worst(&sent_under(bandwidth), bits);
        assert!(worst <= 0.02, "{rate}: off by {:.2} %", worst * 100.0);
    }
}

/// 200 Mbit/s, and from the second second on half of it.
struct Halved;

const HALVED_AT: Duration = Duration::from_secs(1);

impl BandwidthPolicy for Halved {
    fn name(&self) -> &'static str {
        "halved"
    }

    fn rate(&mut self, _: Stage, facts: &Facts<'_>) -> Rate {
        assert!(facts.rounds.is_empty() || facts.elapsed > 2 * HALVED_AT, "the change is not within a round");
        Rate::BitsPerSecond(if facts.elapsed < HALVED_AT { 2e8 } else { 1e8 })
    }
}

#[test]
fn a_rate_that_changes_within_a_round_holds_from_the_next_look_on() {
    let sent = sent_under(Box::new(Halved));
    let (before, after): (Vec<_>, Vec<_>) = sent.iter().partition(|(at, _)| *at < HALVED_AT);
    // The policy is asked every 100 ms, behind a batch, which takes 42 ms.
    let after: Vec<_> = after.into_iter().filter(|(at, _)| *at > HALVED_AT + WINDOW * 3 / 2).collect();
    for (sent, bits) in [(before, 2e8), (after, 1e8)] {
        let worst = worst(&sent, bits);
        assert!(worst <= 0.02, "{bits} bit/s: off by {:.2} %", worst * 100.0);
    }
}
