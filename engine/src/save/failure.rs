//! Why a save ends early: the loop, the sink and the undoing may each have something to say.

use std::fmt;
use std::io;

use super::SaveReport;
use super::outlet::{Closed, Outcome};
use crate::{Abort, BoxError, Error, Phase, SinkError};

/// Why the loop ended early.
pub(super) enum Failure {
    /// For a reason of its own.
    Own(Error),
    /// The sink has the reason.
    Closed,
    /// As above, and the source could not be put back.
    NotUndone(Box<Failure>, BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl From<Closed> for Failure {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(error) => error.fmt(f),
            Self::Closed => f.write_str("the link failed"),
            Self::NotUndone(failure, _) => failure.fmt(f),
        }
    }
}

/// Puts the two sides' errors together: the loop's own is the cause unless it only saw the sink fail.
pub(super) fn blame(
    outcome: Outcome<Result<SaveReport, Failure>>,
    phase: Phase,
    abort: &Abort,
) -> Result<SaveReport, Error> {
    match outcome.run {
        Ok(report) => outcome.sink.map(|()| report).map_err(|cause| Error::Send { phase, cause }),
        Err(failure) => Err(explain(failure, outcome.sink, phase, abort)),
    }
}

fn explain(failure: Failure, sink: Result<(), SinkError>, phase: Phase, abort: &Abort) -> Error {
    match (failure, sink) {
        (Failure::Own(error), _) => error,
        (Failure::Closed, Err(SinkError::Link(cause))) if cause.kind() == io::ErrorKind::Interrupted => {
            Error::Aborted(abort.reason().unwrap_or_default().into())
        }
        (Failure::Closed, Err(cause)) => Error::Send { phase, cause },
        (Failure::Closed, Ok(())) => {
            Error::World { phase, step: "the writer", cause: "it ended without an error".into() }
        }
        (Failure::NotUndone(failure, cause), sink) => {
            Error::NotUndone { failure: Box::new(explain(*failure, sink, phase, abort)), cause }
        }
    }
}
