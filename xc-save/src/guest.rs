//! The guest that is saved, whatever its world.

use std::path::Path;

use engine::{BoxError, Source, SourceDomain, libxc};
use ffi::host::HostError;

use crate::Error;

/// A guest under this process's control. When it is dropped it runs on, unless it was given away.
pub(crate) trait Guest {
    /// Its memory and state.
    type Domain: SourceDomain<Batch: Send>;

    /// What kind of stream it makes.
    fn kind(&self) -> libxc::DomainKind;

    /// Its parts, for the save loop.
    fn source(&mut self) -> Source<'_, Self::Domain>;

    /// What it is made of, for whoever shall build it again; from this file if there is one.
    fn config(&self, instead: Option<&Path>) -> Result<Vec<u8>, Error>;

    /// It is suspended: makes it another host's. It is kept, under another name, until it is destroyed or taken back.
    fn give_away(&mut self) -> Result<(), HostError>;

    /// Takes it back and lets it run.
    fn take_back(&mut self) -> Result<(), HostError>;

    /// Ends it.
    fn destroy(&mut self) -> Result<(), HostError>;

    /// It is suspended: when it is resumed it shall stay paused.
    fn pause(&mut self) -> Result<(), HostError>;

    /// It is suspended: lets it run.
    fn resume(&mut self) -> Result<(), BoxError>;
}
