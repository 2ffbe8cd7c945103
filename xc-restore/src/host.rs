//! A guest process of this machine as what is restored.

use std::fs;
use std::path::Path;

use ffi::host::{GuestConfig, Host};
use xc_save::domain_name::HostName;

pub(crate) use ffi::host::{HostTarget, NameUse};

use crate::Error;

/// The configuration that the stream brought, checked.
pub(crate) fn saved_config(saved: &[u8]) -> Result<GuestConfig, Error> {
    let config: GuestConfig = serde_json::from_slice(saved).map_err(Error::NoHostGuest)?;
    config.check().map_err(Error::Create)?;
    Ok(config)
}

/// The configuration in a file, checked.
pub(crate) fn other_config(path: &Path) -> Result<GuestConfig, Error> {
    let wrong = |cause| Error::OtherConfig(path.to_owned(), cause);
    let text = fs::read(path).map_err(|error| wrong(error.into()))?;
    let config: GuestConfig = serde_json::from_slice(&text).map_err(|error| wrong(error.into()))?;
    config.check().map_err(Error::Create)?;
    Ok(config)
}

/// An empty guest that waits for its memory.
pub(crate) fn create(
    config: GuestConfig,
    name: Option<&HostName>,
    name_use: NameUse,
) -> Result<HostTarget, Error> {
    let name = name.map_or_else(|| config.name.clone(), |name| name.0.clone());
    Host::from_env().create(config, &name, name_use).map_err(Error::Create)
}
