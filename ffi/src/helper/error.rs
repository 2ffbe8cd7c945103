//! What can go wrong between libxl and its helper.

use std::io;
use std::path::PathBuf;

/// Why libxl and its helper do not understand each other.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an operation nor a question.
    #[error("libxl starts this program with --save-domain or --restore-domain; see --help")]
    Usage,
    /// Another libxl's protocol.
    #[error("{option} takes {wanted} arguments, not {given}")]
    Count {
        /// The operation.
        option: &'static str,
        /// How many there must be.
        wanted: usize,
        /// How many there are.
        given: usize,
    },
    /// An argument that means nothing.
    #[error("{name} {value:?} is not {expected}")]
    Argument {
        /// Its name in the usage.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The helper could not be set up to talk to libxl.
    #[error("cannot use standard input and output")]
    Setup(#[source] io::Error),
    /// A message did not reach libxl.
    #[error("cannot send {message} to libxl")]
    Send {
        /// Its name.
        message: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// libxl ended, or ended the dialogue.
    #[error("libxl is gone: it did not answer {message}")]
    Gone {
        /// What it was asked.
        message: &'static str,
    },
    /// libxl's answer could not be read.
    #[error("cannot read libxl's answer to {message}")]
    Receive {
        /// What it was asked.
        message: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// libxl has no callback for a message that is needed.
    #[error("libxl does not take {message} (callbacks {callbacks:#x})")]
    NotOffered {
        /// Its name.
        message: &'static str,
        /// What libxl offered.
        callbacks: u32,
    },
    /// libxl could not do what it was asked.
    #[error("libxl could not: it answered {message} with {reply}")]
    Refused {
        /// What it was asked.
        message: &'static str,
        /// Its answer.
        reply: i32,
    },
    /// An answer without a meaning: the two sides are out of step.
    #[error("libxl answered {message} with {reply}, which means nothing")]
    Meaningless {
        /// What it was asked.
        message: &'static str,
        /// Its answer.
        reply: i32,
    },
    /// The save or restore panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The stock helper cannot be started.
    #[error("checkpointed streams (Remus, COLO) need the stock helper, and {} cannot be started", .path.display())]
    Stock {
        /// Where it was looked for.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The outcome of a save or restore could not be told to libxl.
    #[error("libxl was not told of the outcome ({outcome})")]
    Untold {
        /// The outcome.
        outcome: String,
        /// Why.
        #[source]
        cause: Box<Error>,
    },
}

impl Error {
    /// What the helper exits with; libxl takes anything but 0 for a failure. The numbers are those of the stock
    /// helper: 254 when libxl went away, 255 when it never began.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if let Self::Untold { .. } = self { 254 } else { 255 }
    }
}

/// An error and its causes in one line: `cannot send round 3: link closed: Broken pipe (os error 32)`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
