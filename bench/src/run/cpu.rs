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
}
