//! `burst`: like `pagemod`, but only for a while, then nothing for a while, and again.

use ffi::host::Registers;
use policy::{Spec, SpecError};

use super::Workload;
use super::pagemod::circular;
use super::rate::Interval;

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;
/// The longest phase: an hour.
const MAX_PHASE: u64 = 3_600_000 * MS;

/// Writes while on, none while off.
#[derive(Debug)]
pub(super) struct Burst {
    interval: Interval,
    on_ns: u64,
    off_ns: u64,
}

impl Burst {
    pub(super) fn parse(mut spec: Spec, vcpus: u32) -> Result<Self, SpecError> {
        let interval = Interval::take(&mut spec, vcpus)?;
        let mut phase = |key, default| {
            let given = spec.take(key, "a time from 1ms to 3600s, like 200ms or 2s", phase_ns)?;
            Ok(given.unwrap_or(default))
        };
        let (on_ns, off_ns) = (phase("on", 200 * MS)?, phase("off", 800 * MS)?);
        spec.finish("rate, on, off")?;
        Ok(Self { interval, on_ns, off_ns })
    }
}

fn phase_ns(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, MS),
        None => (text.strip_suffix('s')?, 1000 * MS),
    };
    let ns = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (MS..=MAX_PHASE).contains(&ns).then_some(ns)
}

impl Workload for Burst {
    fn pick(&self, cpu: &mut Registers, share: u64) -> u64 {
        circular(cpu, share)
    }

    fn after(&self, due_ns: u64, now_ns: u64) -> u64 {
        let next = self.interval.after(due_ns, now_ns);
        let cycle = self.on_ns + self.off_ns;
        let phase = next % cycle;
        if phase < self.on_ns { next } else { next.saturating_add(cycle - phase) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_only_while_on() {
        let burst = Burst::parse("burst:rate=1000,on=2ms,off=3ms".parse().unwrap(), 1).unwrap();
        let times: Vec<_> =
            std::iter::successors(Some(0), |&t| Some(burst.after(t, t))).take(6).map(|t| t / MS).collect();
        assert_eq!(times, [0, 1, 5, 6, 10, 11]);
        let flat_out = Burst { interval: Interval(0), ..burst };
        assert_eq!(flat_out.after(0, MS), MS);
        assert_eq!(flat_out.after(MS, 3 * MS), 5 * MS);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(phase_ns("2s"), Some(2000 * MS));
        for bad in ["5", "0ms", "2h", "ms", "9999s"] {
            assert_eq!(phase_ns(bad), None, "{bad}");
        }
    }
}
