use super::{Decision, StopPolicy};
use crate::Facts;

/// `fni:n=N`: a fixed number of iterations, whatever the guest does.
///
/// The second baseline of Chen and Cao, *Prediction-Based Optimization of Live Virtual Machine Migration*.
#[derive(Clone, Copy, Debug)]
pub struct Fni {
    /// Live rounds; with 0 it is [`Psc`](super::Psc).
    pub rounds: usize,
}

impl StopPolicy for Fni {
    fn name(&self) -> &'static str {
        "fni"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        if facts.rounds.len() >= self.rounds {
            Decision::StopAndCopy(format!("{} rounds, as set", facts.rounds.len()))
        } else {
            Decision::Continue
        }
    }
}
