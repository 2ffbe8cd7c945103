//! Iterative prediction of the growth curve.

use std::collections::VecDeque;

use super::Model;

/// m of section 5: with more repetitions of one pattern than this, Algorithm 2 takes the second most likely one.
pub const ADJUST_AFTER: u32 = 5;

/// Predicts how the growth goes on: section 3.2, step 2, and Algorithm 2.
#[derive(Clone, Copy, Debug)]
pub struct Predictor {
    /// `None` is the plain prediction that Algorithm 1 (FM) uses. With `Some(m)` it is that of Algorithm 2 (AM):
    /// when one pattern was predicted to follow itself more than m times in a row, the second most likely follower
    /// is taken once.
    ///
    /// The pseudo-code never sets `pattern_time` back; the text counts "continuously repeated patterns", so here
    /// another pattern sets it to 0. The pseudo-code calls `getFollowPattern(history_list)` there, the text says
    /// "the second popular status as the next status instead of the most popular one"; this follows the text.
    pub adjust_after: Option<u32>,
}

impl Predictor {
    /// The `length` states that are to follow `history`; none after an empty history.
    ///
    /// Each step matches the last n states with a pattern, takes its most likely follower, and of that the last
    /// state, s_(l+1), for a status slides by one. That state becomes part of the history of the next step.
    #[must_use]
    pub fn predict(self, model: &Model, history: &[f64], length: usize) -> Vec<f64> {
        let recent = &history[history.len().saturating_sub(model.window)..];
        let mut status: VecDeque<f64> = recent.iter().copied().collect();
        let (mut curve, mut repeats) = (Vec::new(), 0);
        while curve.len() < length && !status.is_empty() {
            let pattern = model.best_match(status.make_contiguous());
            let rank = usize::from(self.adjust_after.is_some_and(|m| repeats > m));
            let next = model.follower(pattern, rank);
            repeats = if next == pattern { repeats + 1 } else { 0 };
            let state = model.patterns[next].last().copied().unwrap_or_default();
            curve.push(state);
            status.push_back(state);
            if status.len() > model.window {
                status.pop_front();
            }
        }
        curve
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FM: Predictor = Predictor { adjust_after: None };
    const AM: Predictor = Predictor { adjust_after: Some(ADJUST_AFTER) };

    fn learn(states: &[u64], window: usize) -> Model {
        Model::learn(&[states], Duration::from_millis(100), window).unwrap()
    }

    #[test]
    fn a_cycle_goes_on() {
        let model = learn(&[10, 50, 90, 10, 50, 90, 10, 50, 90], 1);
        assert_eq!(FM.predict(&model, &[50.0], 5), [90.0, 10.0, 50.0, 90.0, 10.0]);
    }

    #[test]
    fn the_window_tells_states_apart_that_look_alike() {
        // After 10 10 comes 90, after 90 10 comes 10.
        let model = learn(&[10, 10, 90, 10, 10, 90, 10, 10, 90, 10, 10], 2);
        assert_eq!(FM.predict(&model, &[10.0, 10.0], 4), [90.0, 10.0, 10.0, 90.0]);
        assert_eq!(FM.predict(&model, &[90.0, 10.0], 2), [10.0, 90.0]);
    }

    #[test]
    fn feedback_repeats_for_ever_and_adjustment_leaves_after_more_than_five() {
        // 10 follows 10 nine times in ten, 90 once, and 10 follows 90.
        let model = learn(&[10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 90, 10], 1);
        assert_eq!(FM.predict(&model, &[10.0], 9), [10.0; 9]);
        // Repetitions 1 to 6; there are more than 5, so the seventh state is the second most likely.
        let curve = AM.predict(&model, &[10.0], 15);
        assert_eq!(curve[..8], [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 90.0, 10.0]);
        assert_eq!(curve[14], 90.0);
    }

    #[test]
    fn another_pattern_sets_the_repetitions_back() {
        // Statuses of three: 10 10 10 is followed by itself as often as by 10 10 50. With m = 0 it repeats once, each
        // time it comes back.
        let model = learn(&[10, 10, 10, 10, 50, 10, 10, 10, 10, 50, 10, 10, 10, 10, 50], 3);
        let adjust = Predictor { adjust_after: Some(0) };
        let curve = adjust.predict(&model, &[10.0, 10.0, 10.0], 12);
        assert_eq!(curve, [10.0, 50.0, 10.0, 10.0, 10.0, 10.0, 50.0, 10.0, 10.0, 10.0, 10.0, 50.0]);
        assert_eq!(FM.predict(&model, &[10.0, 10.0, 10.0], 12), [10.0; 12]);
    }

    #[test]
    fn without_a_history_nothing_follows() {
        assert_eq!(FM.predict(&learn(&[1, 2], 1), &[], 3), [0.0; 0]);
    }

    #[test]
    fn a_short_history_is_matched_with_the_ends_of_patterns() {
        let model = learn(&[10, 10, 90, 10, 10, 90, 10, 10, 90], 2);
        assert_eq!(FM.predict(&model, &[90.0], 1), [10.0]);
    }
}
