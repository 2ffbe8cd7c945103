//! Fusing statuses into patterns.

/// The most patterns a model has: enough for what a guest does in turn, and small enough to be searched at every
/// predicted state.
pub(super) const MAX_PATTERNS: usize = 128;
/// Two statuses fuse when they differ, per state, by at most this part of a typical state (the root mean square of
/// all states).
///
/// The paper fuses "based on Euclidean distance" and leaves the bound to its reference 14. A quarter keeps the phases
/// of a guest apart and puts the noise within each together; it is also the tolerance of `fm` and `am`, so that
/// what is fused is what would pass for a correct prediction.
const FUSION: f64 = 0.25;

/// Euclidean distance; where one of the two is shorter, against the end of the other, which is the recent part.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().rev().zip(b.iter().rev()).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

/// The index of the pattern nearest to `status`, the first of equals; 0 when there are none.
pub(super) fn nearest(patterns: &[Vec<f64>], status: &[f64]) -> usize {
    let mut best = (0, f64::INFINITY);
    for (index, pattern) in patterns.iter().enumerate() {
        let far = distance(pattern, status);
        if far < best.1 {
            best = (index, far);
        }
    }
    best.0
}

/// Fuses all statuses of the series: each joins the nearest pattern, whose states become the mean of its members,
/// or begins a new one when none is near enough.
pub(super) fn fuse(series: &[Vec<f64>], window: usize) -> Vec<Vec<f64>> {
    let radius = FUSION * typical(series) * (window as f64).sqrt();
    let mut patterns: Vec<Vec<f64>> = Vec::new();
    let mut members: Vec<f64> = Vec::new();
    for status in series.iter().flat_map(|states| states.windows(window)) {
        let near = nearest(&patterns, status);
        let fits = patterns.get(near).is_some_and(|pattern| distance(pattern, status) <= radius);
        if fits || patterns.len() == MAX_PATTERNS {
            members[near] += 1.0;
            for (mean, state) in patterns[near].iter_mut().zip(status) {
                *mean += (state - *mean) / members[near];
            }
        } else {
            patterns.push(status.to_vec());
            members.push(1.0);
        }
    }
    patterns
}

/// The root mean square of all states.
fn typical(series: &[Vec<f64>]) -> f64 {
    let count = series.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    (series.iter().flatten().map(|state| state * state).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_euclidean_and_looks_at_the_recent_part() {
        assert_eq!(distance(&[0.0, 3.0], &[4.0, 0.0]), 5.0);
        assert_eq!(distance(&[9.0, 0.0, 3.0], &[4.0, 0.0]), 5.0);
    }

    #[test]
    fn near_statuses_become_their_mean_and_far_ones_stay_apart() {
        // The root mean square of 10, 12, 50, 50 is 36.2: the radius for one state is 9.1.
        let patterns = fuse(&[vec![10.0, 12.0, 50.0, 50.0]], 1);
        assert_eq!(patterns, [[11.0], [50.0]]);
    }

    #[test]
    fn windows_do_not_reach_from_one_series_into_another() {
        assert_eq!(fuse(&[vec![1.0, 1.0], vec![1.0, 1.0]], 2), [[1.0, 1.0]]);
        assert_eq!(fuse(&[vec![1.0], vec![9.0]], 2), Vec::<Vec<f64>>::new());
    }

    #[test]
    fn there_are_never_more_patterns_than_allowed() {
        let series: Vec<f64> = (0..4 * MAX_PATTERNS).map(|i| (i as f64).powi(3)).collect();
        assert!(fuse(&[series], 2).len() <= MAX_PATTERNS);
    }
}
