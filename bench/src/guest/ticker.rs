//! What the guest itself notices of being stopped: a thread that looks at the clock every millisecond.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ffi::host::GuestState;
use ffi::scheduler::be_prompt;

use super::gate::Gate;
use super::time::{boot_id, monotonic_ns};

/// The time between two ticks.
const TICK_NS: u64 = 1_000_000;

/// What the ticks showed.
#[derive(Debug)]
pub(super) struct Ticker(Mutex<Ticks>);

/// Times are `CLOCK_MONOTONIC` of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticks {
    /// The last tick; `None` before the first and after a journey from another machine.
    pub(super) last_ns: Option<u64>,
    /// The longest time between two ticks.
    pub(super) longest_gap_ns: u64,
    /// The time between the ticks around the last suspend.
    pub(super) migration_gap_ns: Option<u64>,
    /// When that ended.
    pub(super) migration_end_ns: Option<u64>,
    /// The next tick is the first one after a suspend.
    suspended: bool,
}

impl Ticks {
    fn tick(&mut self, now_ns: u64) {
        let gap = self.last_ns.map(|last| now_ns.saturating_sub(last));
        self.last_ns = Some(now_ns);
        self.longest_gap_ns = self.longest_gap_ns.max(gap.unwrap_or(0));
        if std::mem::take(&mut self.suspended) {
            self.migration_gap_ns = gap;
            self.migration_end_ns = gap.map(|_| now_ns);
        }
    }

    /// The guest is suspended; the next tick comes after it.
    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// The guest arrived with this state.
    pub(super) fn load(&mut self, state: &GuestState) {
        let same_clock = state.boot_id == boot_id();
        self.last_ns = same_clock.then_some(state.last_tick_ns);
        self.longest_gap_ns = state.longest_gap_ns;
        self.suspended = true;
    }
}

impl Ticker {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(super) fn ticks(&self) -> MutexGuard<'_, Ticks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ticks for as long as the process lives.
    pub(super) fn run(&self, gate: &Gate) {
        // Who measures a gap of milliseconds must not wait for a processor himself.
        let _prompt = be_prompt();
        loop {
            if gate.is_closed() {
                gate.park();
            }
            self.ticks().tick(monotonic_ns());
            gate.rest_until(gate.running_ns() + TICK_NS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_around_a_suspend_is_kept_apart() {
        let mut ticks = Ticks::default();
        [10, 11, 15].into_iter().for_each(|now| ticks.tick(now));
        assert_eq!((ticks.longest_gap_ns, ticks.migration_gap_ns), (4, None));
        ticks.suspend();
        [18, 19].into_iter().for_each(|now| ticks.tick(now));
        assert_eq!((ticks.longest_gap_ns, ticks.migration_gap_ns), (4, Some(3)));
        assert_eq!(ticks.migration_end_ns, Some(18));
    }
}
