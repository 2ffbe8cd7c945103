//! Why `xl` did not do what it was asked.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why `xl` did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be started.
    #[error("cannot run {}", .program.display())]
    Start {
        /// What was to be run.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("{name} failed ({status}){}{said}", if .said.is_empty() { "" } else { ": " })]
    Failed {
        /// With its subcommand: `xl save`.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last that it said.
        said: String,
    },
    /// A line of `xl list` that is none.
    #[error("xl list says {0:?}, which is not understood")]
    List(String),
    /// Its transport did not come about.
    #[error("xl did not start its transport")]
    Transport(#[source] io::Error),
}

impl Error {
    /// Whether a signal ended it: what it had begun is as it was at that moment.
    #[must_use]
    pub fn is_death(&self) -> bool {
        matches!(self, Self::Failed { status, .. } if status.signal().is_some())
    }
}
