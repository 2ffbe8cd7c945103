//! What was learnt: the patterns and the transition matrix.

use std::time::Duration;

use super::patterns::{fuse, nearest};

/// The patterns P_1..P_N of a guest's dirty growth and how often each follows each: section 3.2, step 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// How long the slot of a state is.
    pub(super) slot: Duration,
    /// States in a pattern, n.
    pub(super) window: usize,
    /// At least one, each of `window` states.
    pub(super) patterns: Vec<Vec<f64>>,
    /// `counts[i][j]`: how often a status of pattern i was followed by one of pattern j.
    pub(super) counts: Vec<Vec<u32>>,
}

impl Model {
    /// Learns from recorded series, whose states are pages per slot of this length. `None` when none of them has a
    /// whole window, or the window has no states.
    #[must_use]
    pub fn learn(series: &[&[u64]], slot: Duration, window: usize) -> Option<Self> {
        if window == 0 {
            return None;
        }
        let series: Vec<Vec<f64>> =
            series.iter().map(|states| states.iter().map(|&state| state as f64).collect()).collect();
        let patterns = fuse(&series, window);
        let mut counts = vec![vec![0_u32; patterns.len()]; patterns.len()];
        for states in &series {
            let statuses: Vec<_> = states.windows(window).map(|status| nearest(&patterns, status)).collect();
            for step in statuses.windows(2) {
                let count = &mut counts[step[0]][step[1]];
                *count = count.saturating_add(1);
            }
        }
        (!patterns.is_empty()).then_some(Self { slot, window, patterns, counts })
    }

    /// How long the slot of a state is.
    #[must_use]
    pub fn slot(&self) -> Duration {
        self.slot
    }

    /// States in a pattern: n.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window
    }

    /// The patterns.
    #[must_use]
    pub fn patterns(&self) -> &[Vec<f64>] {
        &self.patterns
    }

    /// The transition matrix's p_ij: the probability that pattern `j` follows pattern `i`. A row sums to 1, or to
    /// 0 for a pattern that nothing was seen to follow.
    #[must_use]
    pub fn probability(&self, i: usize, j: usize) -> f64 {
        let Some(row) = self.counts.get(i) else { return 0.0 };
        let total: u64 = row.iter().map(|&count| u64::from(count)).sum();
        row.get(j).filter(|_| total > 0).map_or(0.0, |&count| f64::from(count) / total as f64)
    }

    /// The pattern that matches a status best, by Euclidean distance: `P_best` of step 2. A status shorter than a
    /// window, for want of history, is matched with the ends of the patterns.
    #[must_use]
    pub fn best_match(&self, status: &[f64]) -> usize {
        nearest(&self.patterns, status)
    }

    /// The most likely follower of a pattern (`rank` 0), or the second most (1), and so on; of equally likely ones
    /// the one with the lower index first. Where fewer have ever followed, the most likely; where none has, the
    /// pattern itself.
    #[must_use]
    pub fn follower(&self, pattern: usize, rank: usize) -> usize {
        let row = self.counts.get(pattern).map_or(&[][..], Vec::as_slice);
        let mut seen: Vec<usize> = (0..row.len()).filter(|&j| row[j] > 0).collect();
        seen.sort_by_key(|&j| std::cmp::Reverse(row[j]));
        seen.get(rank).or(seen.first()).copied().unwrap_or(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Duration = Duration::from_millis(100);

    #[test]
    fn a_matrix_of_three_patterns_worked_by_hand() {
        let model = Model::learn(&[&[10, 50, 10, 50, 90, 10, 10, 50, 10, 50]], SLOT, 1).unwrap();
        assert_eq!(model.patterns(), [[10.0], [50.0], [90.0]]);
        // 10 > 10 once, > 50 four times; 50 > 10 twice, > 90 once; 90 > 10 once.
        let matrix = [[1.0 / 5.0, 4.0 / 5.0, 0.0], [2.0 / 3.0, 0.0, 1.0 / 3.0], [1.0, 0.0, 0.0]];
        for (i, row) in matrix.iter().enumerate() {
            for (j, expected) in row.iter().enumerate() {
                assert_eq!(model.probability(i, j), *expected, "p_{i}{j}");
            }
        }
        assert_eq!([model.follower(0, 0), model.follower(0, 1), model.follower(0, 2)], [1, 0, 1]);
        assert_eq!([model.follower(1, 0), model.follower(1, 1)], [0, 2]);
        assert_eq!([model.follower(2, 0), model.follower(2, 1)], [0, 0]);
    }

    #[test]
    fn a_pattern_that_nothing_followed_follows_itself() {
        let model = Model::learn(&[&[1, 2, 900]], SLOT, 1).unwrap();
        let last = model.best_match(&[900.0]);
        assert_eq!(model.follower(last, 0), last);
        assert_eq!(model.probability(last, 0), 0.0);
        assert_eq!(model.follower(99, 0), 99);
    }

    #[test]
    fn too_little_to_learn_from() {
        assert_eq!(Model::learn(&[&[1, 2]], SLOT, 3), None);
        assert_eq!(Model::learn(&[], SLOT, 1), None);
        assert_eq!(Model::learn(&[&[1, 2]], SLOT, 0), None);
    }
}
