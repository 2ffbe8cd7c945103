//! Time that passes only when somebody says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::Clock;

/// A clock that starts at zero and stands still until it is moved. Clones share the time.
///
/// It counts nanoseconds in 64 bits and stops at their end, after 584 years.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let later = |now: u64| Some(now.saturating_add(nanos(by)));
        // The closure always gives a value, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, time: Duration) {
        self.0.fetch_max(nanos(time), Ordering::Relaxed);
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn stands_still_until_it_is_moved() {
        let clock = VirtualClock::new();
        assert_eq!(clock.now(), Duration::ZERO);
        clock.advance(SECOND);
        clock.advance(SECOND);
        assert_eq!(clock.now(), 2 * SECOND);
    }

    #[test]
    fn sleep_goes_forward_only() {
        let clock = VirtualClock::new();
        clock.sleep_until(3 * SECOND);
        clock.sleep_until(SECOND);
        assert_eq!(clock.now(), 3 * SECOND);
    }

    #[test]
    fn clones_share_the_time() {
        let clock = VirtualClock::new();
        clock.clone().advance(SECOND);
        assert_eq!(clock.now(), SECOND);
    }

    #[test]
    fn the_end_of_time_holds() {
        let clock = VirtualClock::new();
        clock.advance(Duration::MAX);
        clock.advance(SECOND);
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
    }
}
