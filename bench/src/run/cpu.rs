//! Processor time.

use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{SysconfVar, sysconf};

use crate::guest::monotonic_ns;

/// Microseconds in a second.
const MICROS: f64 = 1e6;
/// How often is looked where the time goes: a tick, in which the kernel counts it (`USER_HZ`).
const LOOK: Duration = Duration::from_millis(10);

/// Processor time of all children that were waited for, user and system, seconds.
pub(crate) fn children_seconds() -> f64 {
    // It fails for no argument that the kernel knows.
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / MICROS
    })
}

/// Where the time of all processors went since this machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spent {
    all: f64,
    /// What whoever runs this virtual machine gave to others while it was wanted here.
    stolen: f64,
}

impl Spent {
    /// Until now.
    fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The part of the time since then that was stolen, 0 to 1; 0 on a machine of one's own.
    fn stolen_since(self, then: Self) -> f64 {
        (self.stolen - then.stolen) / (self.all - then.all).max(1.0)
    }

    /// The line of all processors (proc(5)). `steal` is its eighth number, and those behind it are counted in the first two.
    fn parse(stat: &str) -> Self {
        const STEAL: usize = 7;
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let ticks: Vec<f64> =
            line.split_whitespace().take(STEAL + 1).filter_map(|ticks| ticks.parse().ok()).collect();
        Self { all: ticks.iter().sum(), stolen: ticks.get(STEAL).copied().unwrap_or(0.0) }
    }
}

/// A thread that looks again and again where the time goes; it ends with this value.
#[derive(Debug)]
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    looks: JoinHandle<Vec<Look>>,
}

/// What was seen, and when: `CLOCK_MONOTONIC`.
type Look = (Duration, Spent);

impl Watch {
    /// From now on.
    pub(super) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let looks = thread::spawn({
            let over = over.clone();
            move || watch(&over)
        });
        Self { over, looks }
    }

    /// The part of the time that was stolen while the watch lasted, and within a part of it.
    pub(super) fn stolen(self, within: Option<&Range<Duration>>) -> (f64, Option<f64>) {
        self.over.store(true, Ordering::Relaxed);
        // The thread has nothing that could fail.
        let looks = self.looks.join().unwrap_or_default();
        let whole = Duration::ZERO..Duration::MAX;
        (stolen_within(&looks, &whole), within.map(|within| stolen_within(&looks, within)))
    }
}

/// Looks, the last of them when it is over.
fn watch(over: &AtomicBool) -> Vec<Look> {
    let look = || (Duration::from_nanos(monotonic_ns()), Spent::now());
    let mut looks = vec![look()];
    while !over.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
        looks.push(look());
    }
    looks
}

/// The part that was stolen between the last look before this time and the first one after it.
fn stolen_within(looks: &[Look], time: &Range<Duration>) -> f64 {
    let before = looks.iter().rev().find(|(at, _)| *at <= time.start).or(looks.first());
    let after = looks.iter().find(|(at, _)| *at >= time.end).or(looks.last());
    before.zip(after).map_or(0.0, |((_, before), (_, after))| after.stolen_since(*before))
}

/// Processor time of a running process, user and system, seconds; 0 if there is none.
pub(crate) fn cpu_seconds_of(pid: u32) -> f64 {
    /// `utime` among the words behind the command's closing bracket; `stime` is next (proc(5)).
    const UTIME: usize = 11;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let words = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: f64 = words.skip(UTIME).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|&ticks| ticks > 0);
    per_second.map_or(0.0, |per_second| ticks / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_uses_time() {
        let before = cpu_seconds_of(std::process::id());
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 200 {
            std::hint::spin_loop();
        }
        assert!(cpu_seconds_of(std::process::id()) > before);
        assert_eq!(cpu_seconds_of(u32::MAX), 0.0);
    }

    #[test]
    fn stolen_time_is_a_part_of_that_of_all_processors() {
        let spent = |steal| {
            Spent::parse(&format!("cpu  10 20 30 40 50 60 70 {steal} 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"))
        };
        assert_eq!(spent(80), Spent { all: 360.0, stolen: 80.0 });
        assert_eq!(spent(82).stolen_since(Spent { all: 354.0, stolen: 80.0 }), 0.25);
        assert_eq!(spent(80).stolen_since(spent(80)), 0.0);
        assert_eq!(Spent::parse("cpu  10 20"), Spent { all: 30.0, stolen: 0.0 });
    }

    #[test]
    fn what_was_stolen_in_a_part_of_the_time_is_between_the_looks_around_it() {
        let look = |at_ms, stolen| {
            (Duration::from_millis(at_ms), Spent { all: at_ms as f64 / 5.0, stolen: f64::from(stolen) })
        };
        // Ten milliseconds of two processors are two ticks.
        let looks = [look(0, 0), look(10, 0), look(20, 1), look(30, 1), look(40, 1), look(50, 2)];
        let within =
            |from, until| stolen_within(&looks, &(Duration::from_millis(from)..Duration::from_millis(until)));
        assert_eq!(within(12, 18), 0.5);
        assert_eq!(within(12, 38), 1.0 / 6.0);
        assert_eq!(within(20, 40), 0.0);
        assert_eq!(within(0, 1000), 0.2);
        assert_eq!(stolen_within(&[], &(Duration::ZERO..LOOK)), 0.0);
    }

    #[test]
    fn a_watch_looks_until_it_is_over_and_once_more() {
        let watch = Watch::start();
        thread::sleep(5 * LOOK);
        let over = Duration::from_nanos(monotonic_ns());
        watch.over.store(true, Ordering::Relaxed);
        let looks = watch.looks.join().unwrap();
        let (first, last) = (looks[0], looks[looks.len() - 1]);
        assert!(looks.len() > 2 && last.0 >= over && last.1.all > first.1.all, "{looks:?}");
    }
}
