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

/// Processor time that whoever runs this virtual machine gave to others while it was wanted here, of all processors,
/// seconds; 0 on a machine of one's own.
pub(super) fn stolen_seconds() -> f64 {
    stolen_ticks(&fs::read_to_string("/proc/stat").unwrap_or_default()) / ticks_per_second()
}

/// `steal` of the line of all processors (proc(5)).
fn stolen_ticks(stat: &str) -> f64 {
    const STEAL: usize = 7;
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let steal = all.and_then(|numbers| numbers.split_whitespace().nth(STEAL));
    steal.and_then(|ticks| ticks.parse().ok()).unwrap_or(0.0)
}

/// Processor time of a running process, user and system, seconds; 0 if there is none.
pub(crate) fn cpu_seconds_of(pid: u32) -> f64 {
    /// `utime` among the words behind the command's closing bracket; `stime` is next (proc(5)).
    const UTIME: usize = 11;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let words = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: f64 = words.skip(UTIME).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    ticks / ticks_per_second()
}

/// What proc(5) counts processor time in: `USER_HZ`, which is 100 wherever it cannot be asked for.
fn ticks_per_second() -> f64 {
    const USER_HZ: f64 = 100.0;
    sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(USER_HZ, |ticks| ticks as f64)
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
    fn stolen_time_is_that_of_all_processors() {
        let stat = "cpu  10 20 30 40 50 60 70 80 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nintr 5\n";
        assert_eq!(stolen_ticks(stat), 80.0);
        assert_eq!(stolen_ticks("cpu  10 20"), 0.0);
    }
}
