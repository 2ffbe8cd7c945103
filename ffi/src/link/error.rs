//! What can go wrong before and after the bytes flow; while they flow it is an [`io::Error`].

use std::io;

use super::LinkSpec;

/// Why a link could not be named, opened or finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names no link.
    #[error("{text:?} is not a link ({fault}); a link is a file, -, fd:N, tcp://HOST:PORT or unix:PATH")]
    Spec {
        /// What was given.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The operating system refused.
    #[error("cannot {action} {link}")]
    Open {
        /// What was tried: "send to" or "receive from".
        action: &'static str,
        /// With which link.
        link: LinkSpec,
        /// The cause; an [`Aborted`] is inside when the run was aborted.
        #[source]
        source: io::Error,
    },
    /// What was sent cannot be brought to the disk.
    #[error("cannot finish {link}")]
    Finish {
        /// The link.
        link: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The command that shall be the other end cannot be started.
    #[error("cannot run {command:?}")]
    Command {
        /// The shell command.
        command: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Inside an [`io::Error`]: the run was aborted while a link waited.
#[derive(Debug, thiserror::Error)]
#[error("aborted: {0}")]
pub struct Aborted(
    /// The reason that was given to [`engine::Abort::raise`].
    pub String,
);
