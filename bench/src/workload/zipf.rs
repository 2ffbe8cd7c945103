//! `zipf`: writes random pages, few of them often and most of them seldom, at a fixed rate.
//!
//! The page of rank k is written with a probability proportional to 1 / k^s.

use ffi::host::Registers;
use policy::{Spec, SpecError};

use super::Workload;
use super::rate::Interval;
use crate::random;

/// Scatters the ranks over the pages: a prime above [`ffi::host::MAX_PAGES`], so no two ranks share a page.
const SCATTER: u64 = 2_654_435_761;
/// The exponent when none is given: Zipf's own law.
const DEFAULT_S: f64 = 1.0;
/// The steepest exponent: with 10, all but the first few pages are never written.
const MAX_S: f64 = 10.0;

/// Random writes by Zipf's law.
#[derive(Debug)]
pub(super) struct Zipf {
    interval: Interval,
    s: f64,
}

impl Zipf {
    pub(super) fn parse(mut spec: Spec, vcpus: u32) -> Result<Self, SpecError> {
        let interval = Interval::take(&mut spec, vcpus)?;
        let read = |text: &str| text.parse().ok().filter(|s| (0.0..=MAX_S).contains(s));
        let s = spec.take("s", "an exponent from 0 to 10", read)?.unwrap_or(DEFAULT_S);
        spec.finish("rate, s")?;
        Ok(Self { interval, s })
    }

    /// A rank from 1 to `n` by rejection from the envelope min(1, x^-s), whose integral can be inverted; no tables.
    fn rank(&self, rng: &mut u64, n: f64) -> f64 {
        let total = self.area(n);
        loop {
            let x = self.area_inverse(random::unit(rng) * total);
            let rank = (x + 1.0).floor().min(n);
            let envelope = if rank > 1.0 { x.powf(-self.s) } else { 1.0 };
            if random::unit(rng) * envelope < rank.powf(-self.s) {
                return rank;
            }
        }
    }

    /// The envelope's integral from 0 to `x`, for `x` from 1 on.
    fn area(&self, x: f64) -> f64 {
        let q = 1.0 - self.s;
        1.0 + if q.abs() < f64::EPSILON { x.ln() } else { (x.powf(q) - 1.0) / q }
    }

    /// Where the integral is `area`.
    fn area_inverse(&self, area: f64) -> f64 {
        let q = 1.0 - self.s;
        match area - 1.0 {
            tail if tail <= 0.0 => area,
            tail if q.abs() < f64::EPSILON => tail.exp(),
            tail => (tail * q + 1.0).powf(1.0 / q),
        }
    }
}

impl Workload for Zipf {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a rank is a whole number from 1 to the number of pages"
    )]
    fn pick(&self, cpu: &mut Registers, share: u64) -> u64 {
        let rank = self.rank(&mut cpu.rng, share as f64) as u64;
        (rank - 1) * SCATTER % share
    }

    fn after(&self, due_ns: u64, now_ns: u64) -> u64 {
        self.interval.after(due_ns, now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of 100 ranks came in 200,000 draws.
    fn counts(s: f64) -> Vec<u32> {
        let zipf = Zipf { interval: Interval(0), s };
        let (mut rng, mut counts) = (1, vec![0; 101]);
        for _ in 0..200_000 {
            let rank = zipf.rank(&mut rng, 100.0);
            counts[(1..=100).find(|&k| f64::from(k) == rank).unwrap_or(0) as usize] += 1;
        }
        counts
    }

    #[test]
    fn frequencies_follow_the_law() {
        for s in [0.0, 0.7, 1.0, 2.0] {
            let counts = counts(s);
            assert_eq!(counts[0], 0, "a rank outside 1..=100");
            let total: f64 = (1..=100).map(|k| f64::from(k).powf(-s)).sum();
            for k in [1, 2, 5, 20] {
                let expected = 200_000.0 * f64::from(k).powf(-s) / total;
                let got = f64::from(counts[k as usize]);
                let sigma = expected.sqrt();
                assert!((got - expected).abs() < 5.0 * sigma, "s={s} rank {k}: {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn each_rank_has_a_page_of_its_own() {
        let mut seen: Vec<u64> = (0..1000).map(|rank| rank * SCATTER % 1000).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
