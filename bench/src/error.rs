//! What can go wrong in a guest.

use ffi::host::HostError;
use ffi::host::protocol::Status;
use thiserror::Error;

/// A failure of a guest, or a request that it refuses.
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
    /// The birth cord said something else than what a birth begins with.
    #[error("a guest is born by 'create' or 'prepare'")]
    Birth,
}

impl Error {
    /// The error with all its causes, for a line of the control protocol.
    #[must_use]
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |e| e.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}
