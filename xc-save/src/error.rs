//! Why a save fails.

use std::io;
use std::path::PathBuf;

use engine::BoxError;
use ffi::host::HostError;
use ffi::{link, xl};

use crate::exit::Exit;
use crate::xen::NoHelper;
use crate::{hand_over, remote};

/// Why a save fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Signals cannot be heard.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// The guest cannot be had.
    #[error("cannot attach to the guest")]
    Attach(#[source] HostError),
    /// The link cannot be had, or its file not finished.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// A guest that stays here cannot be handed over.
    #[error("a target that answers would take the guest, which -c and -p keep here; save it to a file")]
    Stays,
    /// The other end is no receiver.
    #[error("nobody is ready to receive at the other end")]
    NoReceiver(#[source] io::Error),
    /// The configuration cannot be written down.
    #[error("cannot write the guest's configuration down")]
    Config(#[source] serde_json::Error),
    /// The configuration to send instead of the guest's own cannot be used.
    #[error("cannot use the configuration in {}", .0.display())]
    OtherConfig(PathBuf, #[source] BoxError),
    /// The layers around the stream cannot be made.
    #[error("cannot make the stream's envelope")]
    Envelope(#[source] stream::Error),
    /// The link failed outside the libxc stream.
    #[error("cannot send the stream's envelope")]
    Send(#[source] io::Error),
    /// The connections beside the first cannot be had.
    #[error("cannot open more connections to the target (--connections)")]
    Lanes(#[source] io::Error),
    /// A policy that could be made when the settings were checked cannot be made any more.
    #[error(transparent)]
    Policy(#[from] policy::SpecError),
    /// The save itself failed.
    #[error(transparent)]
    Save(#[from] engine::Error),
    /// The target did not take the guest, or nobody knows.
    #[error(transparent)]
    HandOver(#[from] hand_over::Error),
    /// An abort came outside of the save, and before anything was decided.
    #[error("aborted: {0}")]
    Aborted(String),
    /// The guest cannot be kept aside, paused or destroyed after the save.
    #[error("the save is complete, but the guest cannot be {0}")]
    Aftermath(&'static str, #[source] BoxError),
    /// No domain has this name or id.
    #[error("there is no domain {0}")]
    NoDomain(String),
    /// Domain 0 is no guest.
    #[error("domain 0 is this host itself")]
    ThisHost,
    /// A domain that cannot be asked to suspend.
    #[error("domain {0} {1}, and only one that runs can be moved")]
    NotRunning(String, xl::State),
    /// There is no save helper for `xl`.
    #[error(transparent)]
    Helper(#[from] NoHelper),
    /// `xl` failed.
    #[error(transparent)]
    Xl(#[from] xl::Error),
    /// The save helper cannot be heard.
    #[error("cannot hear the save helper")]
    Front(#[source] io::Error),
    /// A bare stream has no place for answers.
    #[error("--bare writes to a file or a pipe; a target that answers wants all of xl's layers")]
    BareAnswer,
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
    Remote(#[from] remote::Failure),
    /// `xl` ended, seemingly well, before all was sent.
    #[error("xl migrate ended before it had sent all")]
    NotSent,
}

impl Error {
    /// The exit code for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        use hand_over::Error as HandOver;
        match self {
            Self::Save(engine::Error::GaveUp { .. }) => Exit::GaveUp,
            Self::Save(engine::Error::NotUndone { .. })
            | Self::HandOver(HandOver::Undecided(_) | HandOver::NotTakenBack(_)) => Exit::Undecided,
            Self::Save(engine::Error::Aborted(reason))
            | Self::HandOver(HandOver::Aborted(reason))
            | Self::Aborted(reason) => Exit::of_abort(reason),
            Self::Aftermath(..) => Exit::LeftOver,
            Self::Remote(failure) => failure.exit(),
            _ => Exit::Failed,
        }
    }
}
