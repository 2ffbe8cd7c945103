//! A guest process of this machine as what is saved.

use std::fs;
use std::path::{Path, PathBuf};

use engine::{Source, Toolstack, libxc};
use ffi::MapMode;
use ffi::host::protocol::Request;
use ffi::host::{GuestConfig, GuestHandle, Host, HostError, HostGuest, HostSource, TrackerChoice};

use crate::Error;
use crate::domain_name::HostName;
use crate::guest::Guest;

/// What the directory of running migrations is called, beside the guests' sockets.
const MIGRATIONS: &str = "migrations";

/// A guest process under this process's control.
pub(crate) struct Process {
    name: String,
    guest: HostGuest,
}

/// Where the running migrations of this host are to be found.
pub(crate) fn migrations() -> PathBuf {
    Host::from_env().dir().join(MIGRATIONS)
}

impl Process {
    pub(crate) fn attach(name: &HostName, map: MapMode) -> Result<Self, Error> {
        let choice = TrackerChoice::from_env().map_err(Error::Attach)?;
        let mut guest = Host::from_env().attach(&name.0, choice).map_err(Error::Attach)?;
        if map == MapMode::Batch {
            guest.source.map_by_batch();
        }
        Ok(Self { name: name.0.clone(), guest })
    }

    fn handle(&mut self) -> &mut GuestHandle {
        &mut self.guest.handle
    }
}

impl Guest for Process {
    type Domain = HostSource;

    fn kind(&self) -> libxc::DomainKind {
        engine::SourceDomain::header(&self.guest.source).kind
    }

    fn source(&mut self) -> Source<'_, HostSource> {
        let HostGuest { source: domain, tracker, toolstack, .. } = &mut self.guest;
        Source { domain, tracker, toolstack }
    }

    /// A configuration from a file must be of a guest of the same shape: the stream holds nothing else.
    fn config(&self, instead: Option<&Path>) -> Result<Vec<u8>, Error> {
        let own = self.guest.handle.config();
        let Some(path) = instead else { return serde_json::to_vec(own).map_err(Error::Config) };
        let wrong = |cause| Error::OtherConfig(path.to_owned(), cause);
        let text = fs::read(path).map_err(|error| wrong(error.into()))?;
        let config: GuestConfig = serde_json::from_slice(&text).map_err(|error| wrong(error.into()))?;
        config.check().map_err(|error| wrong(error.into()))?;
        if (config.pages, config.vcpus) != (own.pages, own.vcpus) {
            return Err(wrong(
                format!(
                    "it is for {} pages and {} vCPUs, the guest has {} and {}",
                    config.pages, config.vcpus, own.pages, own.vcpus
                )
                .into(),
            ));
        }
        serde_json::to_vec(&config).map_err(Error::Config)
    }

    fn give_away(&mut self) -> Result<(), HostError> {
        self.handle().give_away()
    }

    fn take_back(&mut self) -> Result<(), HostError> {
        self.handle().take_back()
    }

    fn destroy(&mut self) -> Result<(), HostError> {
        self.handle().destroy()
    }

    fn pause(&mut self) -> Result<(), HostError> {
        Host::from_env().order(&self.name, &Request::Pause)
    }

    fn resume(&mut self) -> Result<(), engine::BoxError> {
        self.guest.toolstack.resume()
    }
}
