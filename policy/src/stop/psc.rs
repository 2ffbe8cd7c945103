use super::{Decision, StopPolicy};
use crate::Facts;

/// `psc`: pure stop-and-copy. The guest is suspended before anything is sent.
///
/// The shortest total time and the longest downtime; the baseline of Chen and Cao, *Prediction-Based
/// Optimization of Live Virtual Machine Migration*.
#[derive(Clone, Copy, Debug)]
pub struct Psc;

impl StopPolicy for Psc {
    fn name(&self) -> &'static str {
        "psc"
    }

    fn decide(&mut self, _: &Facts<'_>) -> Decision {
        Decision::StopAndCopy("pure stop-and-copy".into())
    }
}
