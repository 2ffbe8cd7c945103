//! Stop policies: when to leave the pre-copy.

mod classic;
mod combine;
mod deadline;
mod downtime;
mod fni;
mod hybrid;
mod itc;
mod parse;
mod predictive;
mod psc;
#[cfg(test)]
pub(crate) mod rig;
mod xen;

pub use classic::Classic;
pub use combine::{Combination, Quorum};
pub use deadline::{Deadline, Then};
pub use downtime::Downtime;
pub use fni::Fni;
pub use hybrid::Hybrid;
pub use itc::Itc;
pub use parse::{NAMES, ReadModel, by_name, with_models};
pub use predictive::Predictive;
pub use psc::Psc;
pub use xen::Xen;

use crate::Facts;

/// What a stop policy wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another round.
    Continue,
    /// Suspend the guest and send the rest; why.
    StopAndCopy(String),
    /// Give the migration up, the guest stays on the source; why.
    Abort(String),
}

/// A rule that decides after each round, and once before the first.
pub trait StopPolicy: Send {
    /// The name by which it is chosen.
    fn name(&self) -> &'static str;

    /// What to do now.
    fn decide(&mut self, facts: &Facts<'_>) -> Decision;
}
