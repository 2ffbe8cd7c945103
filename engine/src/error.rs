//! Why a save or a restore failed.

use std::io;

use stream::Pfn;
use thiserror::Error;

use crate::{BoxError, Phase};

/// Why a save or a restore failed; the cause is the `source`.
#[derive(Debug, Error)]
pub enum Error {
    /// The domain, its tracker or its toolstack failed.
    #[error("cannot {phase}: {step} failed")]
    World {
        /// When.
        phase: Phase,
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        #[source]
        cause: BoxError,
    },
    /// The stream could not be written.
    #[error("cannot {phase}")]
    Send {
        /// When.
        phase: Phase,
        /// Why.
        #[source]
        cause: SinkError,
    },
    /// What arrived is not a good stream, or it ended early.
    #[error("cannot {phase}")]
    Receive {
        /// When.
        phase: Phase,
        /// Which record, where, and what is wrong.
        #[source]
        cause: stream::Error,
    },
    /// One record names a page twice, so that it is not clear which content it has.
    #[error("cannot {phase}: one record names page {pfn} twice")]
    Twice {
        /// When.
        phase: Phase,
        /// The page.
        pfn: Pfn,
    },
    /// A page that belongs to another connection, so that it is not clear which of its copies is the last.
    #[error("cannot {phase}: page {pfn} came over the wrong connection")]
    WrongLane {
        /// When.
        phase: Phase,
        /// The page.
        pfn: Pfn,
    },
    /// Pages that were sent a second time to be compared are not the same.
    #[error("{pages} pages differ when compared, the first is {first}, from byte {from} to byte {to}")]
    Differ {
        /// How many.
        pages: u64,
        /// The first one.
        first: Pfn,
        /// Its first byte that differs.
        from: usize,
        /// Its last byte that does.
        to: usize,
    },
    /// Somebody asked to stop.
    #[error("aborted: {0}")]
    Aborted(String),
    /// The stop policy gave up.
    #[error("stop policy {policy} gave up: {reason}")]
    GaveUp {
        /// Its name.
        policy: &'static str,
        /// Its reason.
        reason: String,
    },
    /// The save failed, and on top of it the source could not be put back as it was.
    #[error("{failure}, and the source could not be put back as it was")]
    NotUndone {
        /// Why the save failed.
        failure: Box<Error>,
        /// Why the source may still be suspended or tracked.
        #[source]
        cause: BoxError,
    },
}

/// Why a record sink failed.
#[derive(Debug, Error)]
pub enum SinkError {
    /// A record that would break the stream's own rules.
    #[error("the stream would be wrong")]
    Stream(#[from] stream::Error),
    /// The link.
    #[error("link {}", if is_closed(.0) { "closed" } else { "failed" })]
    Link(#[from] io::Error),
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
