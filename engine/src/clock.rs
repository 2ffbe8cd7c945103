//! Time as the engine knows it: since the start of the run, on a wall or on a virtual clock.

use std::time::{Duration, Instant};

/// A clock that starts at zero.
pub trait Clock: Sync {
    /// The time since this clock's start.
    fn now(&self) -> Duration;

    /// Waits until `now()` is at least `time`.
    fn sleep_until(&self, time: Duration);
}

/// Real, monotonic time.
#[derive(Clone, Copy, Debug)]
pub struct WallClock(Instant);

impl WallClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for WallClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&self, time: Duration) {
        std::thread::sleep(time.saturating_sub(self.now()));
    }
}
