//! What is around the libxc stream: the same layers that `xl save` and `xl migrate` write, with the guest's
//! configuration in xl's place for it.

use stream::{libxl, xl};

use crate::Error;

/// The bytes before the libxc stream.
///
/// # Errors
/// When the configuration does not fit.
pub fn before(config: Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    xl::Header { config }.write(&mut bytes).map_err(Error::Envelope)?;
    libxl::Header::default().write(&mut bytes);
    libxl::Record::LibxcContext.write(&mut bytes).map_err(Error::Envelope)?;
    Ok(bytes)
}

/// The bytes after it.
///
/// # Errors
/// Never in practice: the record has no content.
pub fn after() -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    libxl::Record::End.write(&mut bytes).map_err(Error::Envelope)?;
    Ok(bytes)
}
