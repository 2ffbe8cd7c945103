//! The gate that all threads of the guest proper stand before: it stops and starts them, and guest time with them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::time::monotonic_ns;

/// Waits shorter than this are spun: going to sleep and waking up takes longer.
const SPIN_NS: u64 = 20_000;

/// Holds the members still while there is at least one [`Hold`], and keeps the guest's clock, which stands still
/// meanwhile.
#[derive(Debug)]
pub(super) struct Gate {
    members: u32,
    closed: AtomicBool,
    /// The monotonic time at which the guest's clock was zero, had it never stood still.
    origin_ns: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    holds: u32,
    parked: u32,
    /// The guest's time while it stands still.
    stopped_at_ns: Option<u64>,
}

/// While this lives, no member runs.
#[derive(Debug)]
pub(super) struct Hold {
    gate: Arc<Gate>,
    closed_at_ns: u64,
}

impl Gate {
    /// A gate for this many threads, which are yet to come: it is closed, and guest time is zero.
    pub(super) fn new(members: u32) -> (Arc<Self>, Hold) {
        let gate = Arc::new(Self {
            members,
            closed: AtomicBool::new(true),
            origin_ns: AtomicU64::new(0),
            state: Mutex::new(State { holds: 1, parked: 0, stopped_at_ns: Some(0) }),
            changed: Condvar::new(),
        });
        let hold = Hold { gate: gate.clone(), closed_at_ns: monotonic_ns() };
        (gate, hold)
    }

    /// Holds all members still; returns when the last one stands.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        let mut state = self.lock();
        state.holds += 1;
        let closed_at_ns = monotonic_ns();
        self.closed.store(true, Ordering::Release);
        self.changed.notify_all();
        while state.parked < self.members {
            state = self.wait(state);
        }
        let now = self.running_ns();
        state.stopped_at_ns.get_or_insert(now);
        Hold { gate: self.clone(), closed_at_ns }
    }

    /// Whether a member must come to [`Gate::park`].
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// A member stands still until the gate is open.
    pub(super) fn park(&self) {
        let mut state = self.lock();
        state.parked += 1;
        self.changed.notify_all();
        while state.holds > 0 {
            state = self.wait(state);
        }
        state.parked -= 1;
    }

    /// A member has nothing to do until this guest time; returns earlier when the gate closes.
    pub(super) fn rest_until(&self, guest_ns: u64) {
        let left = guest_ns.saturating_sub(self.running_ns());
        if left < SPIN_NS {
            std::hint::spin_loop();
            return;
        }
        let state = self.lock();
        if state.holds == 0 {
            // Why it woke does not matter: the caller looks at gate and clock anyway.
            drop(self.changed.wait_timeout(state, Duration::from_nanos(left)));
        }
    }

    /// Guest time as a running member sees it, ns.
    pub(super) fn running_ns(&self) -> u64 {
        monotonic_ns().wrapping_sub(self.origin_ns.load(Ordering::Relaxed))
    }

    /// Guest time, ns.
    pub(super) fn guest_ns(&self) -> u64 {
        self.lock().stopped_at_ns.unwrap_or_else(|| self.running_ns())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// When the members were told to stand still, monotonic time, ns: from then on not all of them ran.
    pub(super) fn closed_at_ns(&self) -> u64 {
        self.closed_at_ns
    }

    /// Sets guest time, as if the guest had run that long.
    pub(super) fn set_guest_ns(&self, guest_ns: u64) {
        self.gate.lock().stopped_at_ns = Some(guest_ns);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let gate = &self.gate;
        let mut state = gate.lock();
        state.holds -= 1;
        if state.holds > 0 {
            return;
        }
        if let Some(stopped_at) = state.stopped_at_ns.take() {
            gate.origin_ns.store(monotonic_ns().wrapping_sub(stopped_at), Ordering::Relaxed);
        }
        gate.closed.store(false, Ordering::Release);
        // Who wakes up under the lock goes to sleep again at once, and then has had its turn on the processor.
        drop(state);
        gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate with two members that count until they are told to end.
    fn counters() -> (Arc<Gate>, Arc<[AtomicU64; 2]>, Arc<AtomicBool>) {
        let (gate, hold) = Gate::new(2);
        let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let end = Arc::new(AtomicBool::new(false));
        for member in 0..2 {
            let (gate, counts, end) = (gate.clone(), counts.clone(), end.clone());
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    if gate.is_closed() {
                        gate.park();
                    }
                    counts[member].fetch_add(1, Ordering::Relaxed);
                    if member == 1 {
                        gate.rest_until(gate.running_ns() + 50_000_000);
                    }
                }
            });
        }
        drop(hold);
        (gate, counts, end)
    }

    #[test]
    fn nobody_runs_and_no_time_passes_while_any_hold_lives() {
        let (gate, counts, end) = counters();
        let snapshot = || counts.each_ref().map(|c| c.load(Ordering::Relaxed));
        for _ in 0..200 {
            let first = gate.hold();
            let second = gate.hold();
            let (still, time) = (snapshot(), gate.guest_ns());
            drop(first);
            std::thread::sleep(Duration::from_micros(200));
            assert_eq!((snapshot(), gate.guest_ns()), (still, time));
            drop(second);
        }
        let before = snapshot()[0];
        std::thread::sleep(Duration::from_millis(50));
        assert!(snapshot()[0] > before, "they run again");
        end.store(true, Ordering::Relaxed);
    }

    #[test]
    fn a_hold_counts_from_when_the_members_were_told_and_not_from_when_the_last_one_stood() {
        let (gate, hold) = Gate::new(1);
        drop(hold);
        let member = std::thread::spawn({
            let gate = gate.clone();
            move || {
                while !gate.is_closed() {
                    std::hint::spin_loop();
                }
                let told_ns = monotonic_ns();
                std::thread::sleep(Duration::from_millis(5));
                gate.park();
                told_ns
            }
        });
        let hold = gate.hold();
        let closed_at_ns = hold.closed_at_ns();
        drop(hold);
        assert!(closed_at_ns <= member.join().unwrap());
    }

    #[test]
    fn guest_time_can_be_set_and_goes_on_from_there() {
        let (gate, hold) = Gate::new(0);
        assert_eq!(gate.guest_ns(), 0);
        hold.set_guest_ns(1_000_000_000_000);
        drop(hold);
        let now = gate.guest_ns();
        assert!((1_000_000_000_000..1_010_000_000_000).contains(&now), "{now}");
    }
}
