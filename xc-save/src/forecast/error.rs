//! Why there is no forecast, recording or model.

use std::io;
use std::path::PathBuf;

use sim::RecordingError;

use crate::exit::Exit;

/// Why there is no forecast, recording or model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForecastError {
    /// The guest cannot be watched.
    #[error(transparent)]
    Guest(#[from] crate::Error),
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file is no recording.
    #[error("cannot use {}", .0.display())]
    Recording(PathBuf, #[source] RecordingError),
    /// A recording in which nothing was recorded.
    #[error("{} has no slot in which a guest was watched", .0.display())]
    Empty(PathBuf),
    /// Recordings of which no one model can be learnt.
    #[error("{} has slots of {found:?}, the files before it of {expected:?}", path.display())]
    Slots {
        /// The file.
        path: PathBuf,
        /// Its slots.
        found: std::time::Duration,
        /// Theirs.
        expected: std::time::Duration,
    },
    /// Too little to learn from.
    #[error("no recording is as long as a window of {0} slots")]
    TooShort(usize),
    /// A file cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// Nobody knows how fast the link is.
    #[error("nobody has measured the link; say what a migration gets of it: --link-rate 10G")]
    NoLinkRate,
}

impl ForecastError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Guest(error) => error.exit(),
            Self::NoLinkRate => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}
