//! Medians, and how sure they are.

use crate::random;

/// Resamples of a bootstrap; the ends of the interval then move by less than a tenth of its width from seed to seed.
const RESAMPLES: usize = 2000;
/// The share of the resamples outside the interval, at each end: 95 % inside.
const TAIL: f64 = 0.025;

/// A figure with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The figure itself.
    pub middle: f64,
    /// The upper end.
    pub high: f64,
}

/// The middle value; `None` of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[half]),
        _ => Some(f64::midpoint(values[half - 1], values[half])),
    }
}

/// The median of some values, with its interval.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    bootstrap(median(values)?, |rng| median(&resample(values, rng)))
}

/// The ratio of two medians (`new` over `base`) of independent values.
#[must_use]
pub fn ratio_interval(base: &[f64], new: &[f64]) -> Option<Interval> {
    let ratio = |base: &[f64], new: &[f64]| Some(median(new)? / median(base)?);
    bootstrap(ratio(base, new)?, |rng| ratio(&resample(base, rng), &resample(new, rng)))
}

/// The percentile bootstrap (Efron 1979): the spread of the figure over resamples of the values.
fn bootstrap(middle: f64, figure: impl Fn(&mut u64) -> Option<f64>) -> Option<Interval> {
    let mut rng = 0;
    let mut figures: Vec<f64> = (0..RESAMPLES).filter_map(|_| figure(&mut rng)).collect();
    figures.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| figures.get(index(share, figures.len())).copied();
    Some(Interval { low: at(TAIL)?, middle, high: at(1.0 - TAIL)? })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
fn index(share: f64, len: usize) -> usize {
    (share * len.saturating_sub(1) as f64).round() as usize
}

/// As many values, drawn with replacement.
fn resample(values: &[f64], rng: &mut u64) -> Vec<f64> {
    let draw = |_| values[usize::try_from(random::below(rng, values.len() as u64)).unwrap_or(0)];
    (0..values.len()).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        let mut rng = 1;
        let holds = |_| {
            let values: Vec<f64> = (0..15).map(|_| random::unit(&mut rng)).collect();
            let interval = median_interval(&values).unwrap();
            assert!(interval.low <= interval.middle && interval.middle <= interval.high);
            interval.low <= 0.5 && 0.5 <= interval.high
        };
        let held = (0..200).map(holds).filter(|&held| held).count();
        assert!((170..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn a_ratio_of_equals_is_one() {
        let ratio = ratio_interval(&[2.0, 2.0, 2.0], &[1.0, 1.0, 1.0]).unwrap();
        assert_eq!(ratio, Interval { low: 0.5, middle: 0.5, high: 0.5 });
    }
}
