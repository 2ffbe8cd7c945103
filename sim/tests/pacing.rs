//! The pacer holds the set rate within 2 % over any 100 ms, on a clock that oversleeps as real ones do.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{
    Abort, Clock, Context, GuestPage, Link, PAGE_SIZE, SaveOptions, Source, StreamSink, Threads,
    libxc::DomainKind, save,
};
use policy::{bandwidth, stop};
use sim::{SimConfig, SimGuest, VirtualClock};

/// 64 MiB.
const PAGES: u64 = 16384;
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

fn sent_at(rate: &str) -> Vec<(Duration, usize)> {
    let clock = VirtualClock::new();
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    let (mut domain, mut tracker, mut toolstack) = SimGuest::new(&config, std::iter::empty(), &clock).split();
    let link = Log { clock: clock.clone(), sent: Arc::default() };
    let (abort, clock) = (Abort::new(), Oversleeping(clock));
    let mut sink = StreamSink::new(link.clone(), DomainKind::Hvm, &clock, &abort);
    let bandwidth = bandwidth::by_name(&format!("fixed:rate={rate}")).expect("a bandwidth policy");
    let mut options =
        SaveOptions { threads: Threads::Inline, ..SaveOptions::live(Box::new(stop::Xen), bandwidth) };
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
        let worst = worst(&sent_at(rate), bits);
        assert!(worst <= 0.02, "{rate}: off by {:.2} %", worst * 100.0);
    }
}
