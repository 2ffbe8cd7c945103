//! What a command line asks for.

use std::fmt;
use std::path::PathBuf;

use ffi::link::LinkSpec;

use crate::domain_name::DomainName;
use crate::settings::Settings;

/// Where the guest goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A link that somebody made ready.
    Link(LinkSpec),
    /// A host, reached by a shell command that starts the receiver there.
    Command {
        /// The host, as the user named it.
        host: String,
        /// The command.
        command: String,
    },
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(link) => link.fmt(f),
            Self::Command { host, .. } => host.fmt(f),
        }
    }
}

/// What becomes of the guest here when all of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It ends.
    End,
    /// It runs on.
    Run,
    /// It is paused under its own name.
    Pause,
    /// It is kept, suspended, as a guest that was given away.
    Hold,
}

impl Afterwards {
    /// Whether the guest stays this host's.
    #[must_use]
    pub fn stays(self) -> bool {
        matches!(self, Self::Run | Self::Pause)
    }
}

/// One save or migration.
#[derive(Clone, Debug)]
pub struct Job {
    /// The command, for messages.
    pub command: &'static str,
    /// The guest.
    pub domain: DomainName,
    /// Where it goes.
    pub to: Destination,
    /// With a pre-copy.
    pub live: bool,
    /// Send every page twice.
    pub verify: bool,
    /// What becomes of the guest here.
    pub afterwards: Afterwards,
    /// Whether the guest stays paused on the target.
    pub paused_there: bool,
    /// Without `xl`, and without its layers around the stream. For Xen domains.
    pub bare: bool,
    /// The guest keeps its domain id. Only a Xen domain has one.
    pub preserve_domid: bool,
    /// A file with the configuration to send instead of the guest's own.
    pub config: Option<PathBuf>,
    /// Everything else.
    pub settings: Settings,
}
