//! The machine's clock.

use std::fs;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC`, ns: the same clock in all processes of a machine since it booted.
pub(crate) fn monotonic_ns() -> u64 {
    // The kernel always has this clock, and it is never negative.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        let part = |value| u64::try_from(value).unwrap_or(0);
        part(now.tv_sec()) * SECOND + part(now.tv_nsec())
    })
}

/// Which boot of which machine [`monotonic_ns`] belongs to.
pub(super) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}
