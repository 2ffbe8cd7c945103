//! `pagemod`: writes one word of each page in turn, round and round, at a fixed rate.
//!
//! The page-modification micro-benchmark of the literature: every write dirties a page that is clean again since
//! long, so the rate is the dirty rate.

use ffi::host::Registers;
use policy::{Spec, SpecError};

use super::Workload;
use super::rate::Interval;

/// Sequential, circular writes.
#[derive(Debug)]
pub(super) struct Pagemod {
    interval: Interval,
}

impl Pagemod {
    pub(super) fn parse(mut spec: Spec, vcpus: u32) -> Result<Self, SpecError> {
        let interval = Interval::take(&mut spec, vcpus)?;
        spec.finish("rate")?;
        Ok(Self { interval })
    }
}

impl Workload for Pagemod {
    fn pick(&self, cpu: &mut Registers, share: u64) -> u64 {
        circular(cpu, share)
    }

    fn after(&self, due_ns: u64, now_ns: u64) -> u64 {
        self.interval.after(due_ns, now_ns)
    }
}

/// The page behind the last one, and after the last of all the first.
pub(super) fn circular(cpu: &mut Registers, share: u64) -> u64 {
    let page = cpu.position % share;
    cpu.position = (page + 1) % share;
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_round() {
        let mut cpu = Registers { position: 2, ..Registers::default() };
        let pages: Vec<_> = (0..5).map(|_| circular(&mut cpu, 4)).collect();
        assert_eq!(pages, [2, 3, 0, 1, 2]);
    }

    #[test]
    fn keeps_its_rate() {
        let pagemod = Pagemod::parse("pagemod:rate=1000".parse().unwrap(), 2).unwrap();
        assert_eq!(pagemod.after(7, 9), 2_000_007);
    }
}
