//! What others send over the link.

use std::time::Duration;

/// Others' traffic, which goes first: a constant stream, or one that comes and goes.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// What it takes while it is on, bit/s.
    pub bits_per_second: u64,
    /// How long it is on.
    pub on: Duration,
    /// How long it is off then, before it is on again. With no time off, or none on, it is always on.
    pub off: Duration,
}

impl Traffic {
    /// Traffic that never ends.
    #[must_use]
    pub fn constant(bits_per_second: u64) -> Self {
        Self { bits_per_second, on: Duration::ZERO, off: Duration::ZERO }
    }

    /// What it takes at this time, bit/s.
    #[must_use]
    pub fn at(&self, time: Duration) -> u64 {
        self.phase(time).0
    }

    /// What it takes at this time, bit/s, and for how much longer, nanoseconds; `None` is for ever.
    pub(crate) fn phase(&self, time: Duration) -> (u64, Option<u128>) {
        let (on, off) = (self.on.as_nanos(), self.off.as_nanos());
        if on == 0 || off == 0 {
            return (self.bits_per_second, None);
        }
        let into = time.as_nanos() % (on + off);
        if into < on { (self.bits_per_second, Some(on - into)) } else { (0, Some(on + off - into)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_and_goes() {
        let (on, off) = (Duration::from_millis(20), Duration::from_millis(80));
        let traffic = Traffic { bits_per_second: 7, on, off };
        let at = |ms| traffic.at(Duration::from_millis(ms));
        assert_eq!([0, 19, 20, 99, 100, 119, 120].map(at), [7, 7, 0, 0, 7, 7, 0]);
        assert_eq!(traffic.phase(Duration::from_millis(30)), (0, Some(70_000_000)));
        assert_eq!(Traffic::constant(7).phase(Duration::from_millis(50)), (7, None));
    }
}
