//! What is around the libxc stream: the same layers that `xl save` and `xl migrate` write, with the guest's
//! configuration in xl's place for it.

use std::io::Read;

use stream::lanes::Lanes;
use stream::{Input, libxl, xl};

use crate::Error;

/// The bytes before the first record of libxl's stream, of which what follows xl's header is still to be read.
///
/// Whoever passes a Xen domain's stream on gives them away together: the `xl` of Xen 4.17 crashes when it gets its own
/// header and then none of libxl's.
///
/// # Errors
/// When what follows is no libxl stream.
pub fn opening<R: Read>(header: &xl::Header, input: &mut Input<R>) -> Result<Vec<u8>, stream::Error> {
    let libxl = libxl::Header::read(input)?;
    let mut bytes = Vec::new();
    header.write(&mut bytes)?;
    libxl.write(&mut bytes);
    Ok(bytes)
}

/// The bytes before the libxc stream, which has these lanes beside it.
///
/// # Errors
/// When the configuration does not fit.
pub fn before(config: Vec<u8>, lanes: Option<Lanes>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    xl::Header { config }.write(&mut bytes).map_err(Error::Envelope)?;
    libxl::Header::default().write(&mut bytes);
    let lanes = lanes.map(libxl::Record::Lanes);
    lanes.map_or(Ok(()), |lanes| lanes.write(&mut bytes)).map_err(Error::Envelope)?;
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
