//! How good predictions are.

use super::{Model, Predictor};

/// How many predictions were made and how many came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EffectivePredictions {
    /// `N_correct`.
    pub correct: u64,
    /// `N_total`.
    pub total: u64,
}

impl EffectivePredictions {
    /// The effective prediction ratio, EPR = `N_correct` / `N_total` (Chen and Cao, section 5); `None` without a
    /// prediction.
    #[must_use]
    pub fn ratio(self) -> Option<f64> {
        (self.total > 0).then(|| self.correct as f64 / self.total as f64)
    }
}

/// Whether a predicted curve came true: its Euclidean distance to the real one is at most `tolerance` of the real
/// one's length as a vector.
///
/// The paper compares "a predicted curve and a real-time" (section 4.1) and does not say when they match; Euclidean
/// distance is its measure everywhere else.
#[must_use]
pub fn matches(predicted: &[f64], real: &[f64], tolerance: f64) -> bool {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let off = norm(&mut predicted.iter().zip(real).map(|(p, r)| p - r));
    off <= tolerance * norm(&mut real.iter().copied())
}

/// Predicts a recorded series piece by piece, each of `horizon` states from all before it, and counts the pieces
/// that came true. The first prediction is made when a window is known.
#[must_use]
pub fn effective_prediction_ratio(
    predictor: Predictor,
    model: &Model,
    series: &[u64],
    horizon: usize,
    tolerance: f64,
) -> EffectivePredictions {
    let states: Vec<f64> = series.iter().map(|&state| state as f64).collect();
    let mut count = EffectivePredictions::default();
    let known = model.window().min(states.len());
    for (done, real) in states[known..].chunks_exact(horizon.max(1)).enumerate() {
        let history = &states[..known + done * real.len()];
        let predicted = predictor.predict(model, history, real.len());
        count.total += 1;
        count.correct += u64::from(matches(&predicted, real, tolerance));
    }
    count
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_match_is_relative() {
        assert!(matches(&[3.0, 4.0], &[3.0, 4.0], 0.0));
        assert!(matches(&[11.0], &[10.0], 0.1));
        assert!(!matches(&[11.1], &[10.0], 0.1));
        assert!(matches(&[0.0], &[0.0], 0.1));
        assert!(!matches(&[1.0], &[0.0], 0.1));
    }

    #[test]
    fn the_ratio_counts_pieces() {
        let slot = Duration::from_millis(100);
        let model = Model::learn(&[&[10, 50, 90, 10, 50, 90, 10]], slot, 1).unwrap();
        // Known: 10. Pieces of two: 50 90 is right, 10 10 is not, 50 90 is right; one state is left over.
        let series = [10, 50, 90, 10, 10, 50, 90, 10];
        let count = effective_prediction_ratio(Predictor { adjust_after: None }, &model, &series, 2, 0.1);
        assert_eq!(count, EffectivePredictions { correct: 2, total: 3 });
        assert_eq!(count.ratio(), Some(2.0 / 3.0));
        assert_eq!(EffectivePredictions::default().ratio(), None);
    }
}
