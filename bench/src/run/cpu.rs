//! Processor time.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{SysconfVar, sysconf};

/// Microseconds in a second.
const MICROS: f64 = 1e6;

/// Processor time of all children that were waited for, user and system, seconds.
pub(crate) fn children_seconds() -> f64 {
    // It fails for no argument that the kernel knows.
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / MICROS
    })
}

/// Where the time of all processors went since this machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spent {
    all: f64,
    /// What whoever runs this virtual machine gave to others while it was wanted here.
    stolen: f64,
}

impl Spent {
    /// Until now.
    pub(super) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The part of the time since then that was stolen, 0 to 1; 0 on a machine of one's own.
    pub(super) fn stolen_since(self, then: Self) -> f64 {
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
}
