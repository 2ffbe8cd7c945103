//! What can go wrong in the host world.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A failure of the host world. The text says what was tried; the cause is the `source`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HostError {
    /// A guest cannot have this name.
    #[error("{name:?} is not a guest name: {reason}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers under this name.
    #[error("no guest {name} runs in {}", dir.display())]
    NotRunning {
        /// The guest.
        name: String,
        /// The directory that was searched.
        dir: PathBuf,
    },
    /// A running guest has this name.
    #[error("a running guest has the name {0} already")]
    Taken(String),
    /// The operating system refused.
    #[error("cannot {doing}")]
    Os {
        /// What was tried.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The guest refused.
    #[error("guest {name}: {reason}")]
    Refused {
        /// The guest.
        name: String,
        /// What it said.
        reason: String,
    },
    /// The guest's answer does not fit the question.
    #[error("guest {name} does not speak the control protocol: {what}")]
    Protocol {
        /// The guest.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The control connection failed earlier; the guest has resumed by itself.
    #[error("the control connection to guest {0} is lost")]
    Disconnected(String),
    /// A memory file of the guest is not what it said.
    #[error("memory file of process {pid}: {what}")]
    Memfd {
        /// The guest's process.
        pid: u32,
        /// What is wrong.
        what: String,
    },
    /// A guest configuration that cannot be.
    #[error("guest configuration: {field} is {value}, allowed is {allowed}")]
    Config {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A guest state that does not fit its configuration.
    #[error("guest state: {field} is {value}, allowed is {allowed}")]
    State {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A saved HVM context that is not one of a host guest.
    #[error("HVM context, offset {offset}: {what}")]
    Context {
        /// Byte offset of the entry.
        offset: usize,
        /// What is wrong.
        what: String,
    },
    /// The stream holds something that a host guest does not have.
    #[error("a host guest cannot take {0}")]
    Unfit(String),
    /// A tracker did not see what it had to see.
    #[error("the kernel's record of writes is not exact: {0}")]
    Proof(&'static str),
    /// No tracker works here.
    #[error("no way to track the writes of guest {name} on this kernel: {reasons}")]
    NoTracker {
        /// The guest.
        name: String,
        /// Each tracker that was tried, with its reason.
        reasons: String,
    },
}

/// Makes the `map_err` of a system call that was made to do `doing`.
pub(super) fn os<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> HostError {
    move |source| HostError::Os { doing: doing.into(), source: source.into() }
}
