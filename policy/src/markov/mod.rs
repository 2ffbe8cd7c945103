//! Prediction of a guest's dirty growth by a Markov chain, and of the moment at which to end a migration.
//!
//! Chen and Cao, *Prediction-Based Optimization of Live Virtual Machine Migration*. The growth s_1, s_2, ... of
//! what waits to be sent is cut into statuses, windows of n states that slide by one. Similar statuses are fused
//! into patterns, and the patterns are the states of a Markov chain (section 3.2, step 1): [`Model`]. From the last
//! status the chain gives the next state, that gives the next status, and so on (step 2): [`Predictor`], with the
//! adjustment of Algorithm 2. On the predicted curve, [`growth_platform`] is where the guest writes least, and
//! [`find_finish`] is the moment at which Algorithm 1 suspends it. [`effective_prediction_ratio`] judges predictions.

mod file;
mod finish;
mod model;
mod patterns;
mod predict;
mod ratio;

pub use file::{MAX_WINDOW, ModelError};
pub use finish::{Finish, find_finish, growth_platform};
pub use model::Model;
pub use predict::{ADJUST_AFTER, Predictor};
pub use ratio::{EffectivePredictions, effective_prediction_ratio, matches};

/// The window's default length: 50 states, as the paper chose by experiment (section 5, Fig. 8).
pub const WINDOW: usize = 50;
