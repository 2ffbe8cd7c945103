//! What can go wrong in a guest, and in the harness.

use ffi::host::HostError;
use ffi::host::protocol::Status;
use thiserror::Error;

/// A failure of a guest or a request that it refuses, or a failure of the harness.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The host world refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A workload that cannot be.
    #[error("workload '{spec}': {reason}")]
    Workload {
        /// What was given.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A fill that does not exist.
    #[error("unknown fill '{0}'; there are: random, text, zero, mixed")]
    Fill(String),
    /// A size that cannot be read.
    #[error("'{0}' is not a size; write bytes in whole pages of 4096, or 512K, 256M, 2G")]
    Size(String),
    /// Another connection controls the guest.
    #[error("busy: another process controls it")]
    Busy,
    /// Only the controller may ask for this.
    #[error("only its controller may ask for that")]
    NotController,
    /// Not in this state.
    #[error("it cannot do that while it is {}", .0.word())]
    Status(Status),
    /// An incoming guest without a state cannot run.
    #[error("its state is not loaded")]
    NotLoaded,
    /// A balloon target that cannot be.
    #[error("a balloon target of {pages} pages, allowed are 1 to {limit}")]
    Balloon {
        /// What was asked for.
        pages: u64,
        /// The guest's pages.
        limit: u64,
    },
    /// A thread could not be started, or the connection to the parent failed.
    #[error("cannot {doing}")]
    Os {
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Something of the harness failed in the system.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A command that the harness ran failed.
    #[error("{command}: {said}")]
    Command {
        /// The command.
        command: String,
        /// What it said on standard error.
        said: String,
    },
    /// A word on the command line or in a plan cannot be read.
    #[error("{what} '{text}' is not {expected}")]
    Spec {
        /// What it should name.
        what: &'static str,
        /// What was given.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A plan cannot be read.
    #[error("the plan {0} cannot be read")]
    Plan(String, #[source] Box<toml::de::Error>),
    /// A policy of a plan does not exist.
    #[error(transparent)]
    Policy(#[from] policy::SpecError),
    /// JSON is not what it should be.
    #[error("{what} is no JSON as expected")]
    Json {
        /// What was read.
        what: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A simulated migration failed.
    #[error("cannot predict a migration")]
    Predict(#[source] engine::Error),
    /// A figure cannot be drawn.
    #[error("cannot draw {figure}: {reason}")]
    Draw {
        /// Which.
        figure: String,
        /// Why.
        reason: String,
    },
    /// What was asked for cannot be done with what is there.
    #[error("{0}")]
    Refused(String),
    /// The birth cord said something else than what a birth begins with.
    #[error("a guest is born by 'create' or 'prepare'")]
    Birth,
}

impl Error {
    /// [`Error::Io`].
    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    /// The error with all its causes, for a line of the control protocol.
    #[must_use]
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |e| e.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}
