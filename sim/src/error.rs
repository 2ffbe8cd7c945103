//! What goes wrong in a world of numbers.

use stream::Pfn;

use crate::FaultPoint;

/// A failure that was ordered, a stream that does not fit, or a broken promise of the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The test asked for this failure.
    #[error("simulated fault: call {nth} of {point:?}")]
    Fault {
        /// The call that failed.
        point: FaultPoint,
        /// Which of them, from 1.
        nth: u64,
    },
    /// The engine did what the contract of its traits rules out.
    #[error("engine bug: {0}")]
    EngineBug(String),
    /// A page arrived whose bytes are of no [`Content`](crate::Content): mixed from two, or damaged.
    #[error("page {0} has bytes of no single content")]
    DamagedPage(Pfn),
    /// A record, or a part of one, that a simulated guest does not have.
    #[error("not the state of a simulated guest: {0}")]
    ForeignState(String),
    /// The stream ended before this record came.
    #[error("no {0} record came")]
    StateMissing(&'static str),
}

impl SimError {
    /// The engine broke a promise.
    pub(crate) fn bug(what: impl Into<String>) -> Self {
        Self::EngineBug(what.into())
    }

    /// The state is of another kind of guest.
    pub(crate) fn foreign(what: impl Into<String>) -> Self {
        Self::ForeignState(what.into())
    }
}
