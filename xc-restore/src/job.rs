//! What a command line asks for.

use std::fmt;
use std::path::PathBuf;

use ffi::link::LinkSpec;
use xc_save::domain_name::HostName;
use xc_save::settings::Settings;

/// Where the guest comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A link that a user named.
    Link(LinkSpec),
    /// Standard input, with answers on standard output: `xc-migrate` is at the other end.
    Migration,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(link) => link.fmt(f),
            Self::Migration => f.write_str("-"),
        }
    }
}

/// One restore.
#[derive(Clone, Debug)]
pub struct Job {
    /// The command, for messages.
    pub command: &'static str,
    /// Where the guest comes from.
    pub from: Origin,
    /// A file with the configuration to use instead of the saved one.
    pub config: Option<PathBuf>,
    /// The guest's name here.
    pub name: Option<HostName>,
    /// Not a domain of its own, but this one, from a bare libxc stream.
    pub into: Option<u32>,
    /// Leave it paused.
    pub paused: bool,
    /// Do not wait in the background for its end.
    pub no_wait: bool,
    /// Log for debugging.
    pub debug: bool,
    /// Print the digest of its memory.
    pub digest: bool,
    /// Everything else.
    pub settings: Settings,
}
