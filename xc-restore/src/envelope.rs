//! Reading what is around the libxc stream.

use std::io::Read;

use ffi::host::GuestConfig;
use stream::{Input, libxl, xl};

use crate::Error;

/// Reads up to the libxc stream; returns the guest's configuration, which is checked.
///
/// # Errors
/// When a layer is not what `xc-save` writes, or the configuration is of no guest of this machine.
pub fn before<R: Read>(input: &mut Input<R>) -> Result<GuestConfig, Error> {
    let header = xl::Header::read(input).map_err(Error::Envelope)?;
    let config: GuestConfig = serde_json::from_slice(&header.config).map_err(Error::NoHostGuest)?;
    config.check().map_err(Error::Create)?;
    libxl::Header::read(input).map_err(Error::Envelope)?;
    expect(input, &libxl::Record::LibxcContext)?;
    Ok(config)
}

/// Reads what follows the libxc stream.
///
/// # Errors
/// When it is anything but the end.
pub fn after<R: Read>(input: &mut Input<R>) -> Result<(), Error> {
    expect(input, &libxl::Record::End)
}

/// Host guests have no device models, so their stream has no records but these two.
fn expect<R: Read>(input: &mut Input<R>, expected: &libxl::Record) -> Result<(), Error> {
    let (head, record) = libxl::Record::read(input).map_err(Error::Envelope)?;
    if record == *expected {
        return Ok(());
    }
    Err(Error::OtherRecord { name: head.name, offset: head.offset })
}
