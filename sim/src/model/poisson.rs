//! Pages that are written at random, each at a rate of its own.

use std::ops::Range;
use std::time::Duration;

use stream::Pfn;

use super::Event;
use crate::random::Random;
use crate::{Content, Recording};

/// Scatters the ranks over the pages: a prime above any number of pages, so no two ranks share one.
const SCATTER: u128 = 18_446_744_073_709_551_557;
/// A page seen dirty in every slot may be written any number of times in one. It counts as seen in all but this
/// part of a slot.
const NEVER_CLEAN: f64 = 0.5;

/// Each page is written as a Poisson process of its own rate λ: the profile of Zhang, Lam and Wang, *Adaptive Live
/// VM Migration over a WAN*, slides "Profiling, Modeling & Simulation" ("one λ for each page").
///
/// All pages together are one process with the sum of the rates, in which a write goes to a page with a probability
/// in proportion to its rate; so it is drawn.
#[derive(Clone, Debug)]
pub struct Poisson {
    pages: Vec<Pfn>,
    /// `sums[i]` is the rate of the pages up to `i`, writes/s.
    sums: Vec<f64>,
    random: Random,
    /// Seconds since the start.
    now: f64,
    written: u64,
}

impl Poisson {
    /// Pages with their rates in writes/s. A rate that is not positive and finite counts as none.
    #[must_use]
    pub fn new(rates: impl IntoIterator<Item = (Pfn, f64)>, seed: u64) -> Self {
        let (mut pages, mut sums, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (pfn, rate) in rates.into_iter().filter(|(_, rate)| *rate > 0.0 && rate.is_finite()) {
            sum += rate;
            pages.push(pfn);
            sums.push(sum);
        }
        Self { pages, sums, random: Random::new(seed), now: 0.0, written: 0 }
    }

    /// Zipf's law: of `writes_per_second`, the page of rank k (from 1) gets a part in proportion to 1 / k^`exponent`.
    /// The ranks are scattered over `pages`.
    #[must_use]
    pub fn zipf(writes_per_second: f64, exponent: f64, pages: Range<u64>, seed: u64) -> Self {
        let count = pages.end.saturating_sub(pages.start);
        let weight = |rank: u64| (rank as f64).powf(-exponent);
        let scale = writes_per_second / (1..=count).map(weight).sum::<f64>();
        let page = |rank: u64| {
            let scattered = u128::from(rank - 1) * SCATTER % u128::from(count);
            Pfn(pages.start + u64::try_from(scattered).unwrap_or_default())
        };
        Self::new((1..=count).map(|rank| (page(rank), scale * weight(rank))), seed)
    }

    /// The profile of a recorded guest. A page dirty in k of n slots was clean in n - k, for which a Poisson process
    /// has the probability e^(-λ slot) each: λ = -ln(1 - k/n) / slot.
    #[must_use]
    pub fn profile(recording: &Recording, seed: u64) -> Self {
        let slots = recording.len() as f64;
        let rate = |seen: u32| {
            let seen = f64::from(seen).min(slots - NEVER_CLEAN);
            -(1.0 - seen / slots).ln() / recording.slot().as_secs_f64()
        };
        Self::new(recording.times_dirty().into_iter().map(|(pfn, seen)| (pfn, rate(seen))), seed)
    }
}

impl Iterator for Poisson {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        let total = *self.sums.last()?;
        self.now += self.random.exponential(total);
        let drawn = self.random.unit() * total;
        let index = self.sums.partition_point(|sum| *sum <= drawn).min(self.pages.len() - 1);
        self.written += 1;
        let time = Duration::try_from_secs_f64(self.now).ok()?;
        Some((time, Event::Write(self.pages[index], Content(self.written))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::PfnSet;

    use super::*;

    /// How often each page is written in this many seconds.
    fn writes(model: impl Iterator<Item = (Duration, Event)>, seconds: u64) -> BTreeMap<u64, f64> {
        let mut counts = BTreeMap::new();
        let end = Duration::from_secs(seconds);
        for (_, event) in model.take_while(|(time, _)| *time <= end) {
            *counts.entry(event.pfn().0).or_default() += 1.0;
        }
        counts
    }

    #[test]
    fn each_page_has_its_rate() {
        let model = Poisson::new([(Pfn(3), 1.0), (Pfn(5), 9.0), (Pfn(7), 0.0)], 1);
        let counts = writes(model, 10_000);
        assert!((counts[&3] - 10_000.0).abs() < 500.0, "{counts:?}");
        assert!((counts[&5] - 90_000.0).abs() < 1500.0, "{counts:?}");
        assert_eq!(counts.len(), 2);
    }

    #[test]
    fn zipf_follows_the_law_and_uses_all_pages_of_the_range() {
        let counts = writes(Poisson::zipf(1000.0, 1.0, 100..150, 1), 200);
        let harmonic: f64 = (1..=50).map(|k| 1.0 / f64::from(k)).sum();
        assert!((counts[&100] - 200_000.0 / harmonic).abs() < 1500.0, "{counts:?}");
        assert_eq!(counts.len(), 50);
        assert!(counts.keys().all(|pfn| (100..150).contains(pfn)));
    }

    #[test]
    fn nothing_to_write_is_an_idle_guest() {
        assert_eq!(Poisson::new([], 1).next(), None);
        assert_eq!(Poisson::zipf(0.0, 1.0, 0..9, 1).next(), None);
        assert_eq!(Poisson::zipf(9.0, 1.0, 9..9, 1).next(), None);
    }

    #[test]
    fn a_profile_has_the_rates_of_what_was_recorded() {
        let slot = Duration::from_millis(100);
        let mut recording = Recording::new(10, slot);
        for frame in 0..1000 {
            let mut dirty = PfnSet::empty(10);
            dirty.insert(Pfn(1));
            // Half of the slots: λ = ln 2 / 0.1 s = 6.9 writes/s.
            if frame % 2 == 0 {
                dirty.insert(Pfn(2));
            }
            recording.push(&dirty);
        }
        let counts = writes(Poisson::profile(&recording, 1), 1000);
        assert!((counts[&2] - 6931.0).abs() < 350.0, "{counts:?}");
        // 999.5 of 1000: λ = ln 2000 / 0.1 s = 76 writes/s.
        assert!((counts[&1] - 76_009.0).abs() < 1500.0, "{counts:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_guest() {
        let first: Vec<_> = Poisson::zipf(1000.0, 1.0, 0..100, 7).take(1000).collect();
        assert!(Poisson::zipf(1000.0, 1.0, 0..100, 7).take(1000).eq(first.clone()));
        assert!(!Poisson::zipf(1000.0, 1.0, 0..100, 8).take(1000).eq(first));
    }
}
