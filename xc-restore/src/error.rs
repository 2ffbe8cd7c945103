//! Why `xc-restore` fails.

use std::io;
use std::path::PathBuf;

use engine::BoxError;
use ffi::host::HostError;
use ffi::{link, xl};
use xc_save::exit::Exit;
use xc_save::remote::Failure;
use xc_save::xen::NoHelper;

use crate::take_over;

/// Why `xc-restore` fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Signals cannot be heard.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// The link cannot be had.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The source is gone before it sent anything.
    #[error("cannot greet the source")]
    Greet(#[source] io::Error),
    /// A layer around the libxc stream is wrong.
    #[error("cannot read the stream's envelope")]
    Envelope(#[source] stream::Error),
    /// The configuration is not one of a host guest: a real Xen guest's file, perhaps.
    #[error("the configuration in the xl header is not that of a guest process")]
    NoHostGuest(#[source] serde_json::Error),
    /// The configuration to use instead of the saved one cannot be used.
    #[error("cannot use the configuration in {}", .0.display())]
    OtherConfig(PathBuf, #[source] BoxError),
    /// A libxl record that a host guest cannot have.
    #[error("the libxl stream has {name} at byte {offset}, which no guest process has")]
    OtherRecord {
        /// The record's type.
        name: &'static str,
        /// Where it starts.
        offset: u64,
    },
    /// The source's further connections did not come.
    #[error("cannot take the source's other connections")]
    Lanes(#[source] io::Error),
    /// Only a link with a listener has more than one connection.
    #[error(
        "the stream says that pages come by further connections, and there is nowhere that they could come to"
    )]
    NoDoor,
    /// The guest cannot be made.
    #[error("cannot make the guest")]
    Create(#[source] HostError),
    /// The stream or the target failed.
    #[error(transparent)]
    Restore(#[from] engine::Error),
    /// The guest is complete but cannot be started.
    #[error("cannot start the guest")]
    Start(#[source] HostError),
    /// The source did not hand it over, or does not know that it did.
    #[error(transparent)]
    TakeOver(#[from] take_over::Error),
    /// What is asked for is for guest processes only.
    #[error("{0} is for guest processes; this is a Xen domain")]
    NotForXen(&'static str),
    /// There is no save helper for `xl`.
    #[error(transparent)]
    Helper(#[from] NoHelper),
    /// `xl` failed.
    #[error(transparent)]
    Xl(xl::Error),
    /// A signal ended `xl`, so that it cleaned nothing up.
    #[error("xl did not end by itself")]
    XlDied(#[source] xl::Error),
    /// Xen refused.
    #[error("cannot reach the domain without xl")]
    Xen(#[source] BoxError),
    /// A build without Xen's libraries.
    #[error(
        "this build has none of Xen's libraries in it; build it where libxen-dev and libclang are installed"
    )]
    NoXen,
    /// The save helper failed.
    #[error(transparent)]
    Remote(#[from] Failure),
    /// The save helper cannot be heard, or `xl` cannot be spoken to.
    #[error("cannot speak to xl and its save helper")]
    Front(#[source] io::Error),
    /// The source ended before it had sent all.
    #[error("the source ended before it had sent all")]
    Ended,
    /// An abort came before the guest was ours.
    #[error("aborted: {0}")]
    Aborted(String),
}

impl From<xl::Error> for Error {
    fn from(error: xl::Error) -> Self {
        if error.is_death() { Self::XlDied(error) } else { Self::Xl(error) }
    }
}

impl Error {
    /// The exit code for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Aborted(reason) | Self::Restore(engine::Error::Aborted(reason)) => Exit::of_abort(reason),
            Self::NotForXen(_) => Exit::Usage,
            Self::TakeOver(take_over::Error::Unheard(_)) => Exit::LeftOver,
            Self::TakeOver(take_over::Error::Unknown(_)) => Exit::Undecided,
            _ => Exit::Failed,
        }
    }
}
