//! How often a workload writes.

use policy::{Spec, SpecError};

/// Nanoseconds in a second.
const SECOND: f64 = 1e9;
/// The default of every workload that has a rate: about 117 MiB/s of dirty pages, more than a 1 Gbit/s link takes.
const DEFAULT: f64 = 30_000.0;
/// The fastest rate that a clock of 1 ns can pace; beyond it there is `max`.
const FASTEST: f64 = 1e8;

/// The time between two writes of one vCPU, ns; 0 means as fast as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval(pub(super) u64);

impl Interval {
    /// Takes `rate` out of a spec: writes per second of the whole guest, which its vCPUs share.
    pub(super) fn take(spec: &mut Spec, vcpus: u32) -> Result<Self, SpecError> {
        let read = |text: &str| Self::read(text, vcpus);
        let rate = spec.take("rate", "max or a number of writes/s from 0.001 to 100000000", read)?;
        Ok(rate.unwrap_or_else(|| Self::of(DEFAULT, vcpus)))
    }

    /// When the next write is due. At a fixed rate that does not depend on how late the last one was.
    pub(super) fn after(self, due_ns: u64, now_ns: u64) -> u64 {
        if self.0 == 0 { now_ns } else { due_ns.saturating_add(self.0) }
    }

    fn read(text: &str, vcpus: u32) -> Option<Self> {
        if text == "max" {
            return Some(Self(0));
        }
        let rate: f64 = text.parse().ok()?;
        (0.001..=FASTEST).contains(&rate).then(|| Self::of(rate, vcpus))
    }

    #[expect(clippy::cast_possible_truncation, reason = "10 to 6.4e13, rounded")]
    fn of(rate: f64, vcpus: u32) -> Self {
        Self((SECOND * f64::from(vcpus) / rate).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vcpus_share_the_rate() {
        assert_eq!(Interval::read("1000", 1), Some(Interval(1_000_000)));
        assert_eq!(Interval::read("1000", 4), Some(Interval(4_000_000)));
        assert_eq!(Interval::read("max", 4), Some(Interval(0)));
        for bad in ["0", "-1", "nan", "inf", "1e9", ""] {
            assert_eq!(Interval::read(bad, 1), None, "{bad}");
        }
    }
}
