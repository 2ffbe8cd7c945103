//! Reading what is around the libxc stream.

use std::io::Read;

use stream::lanes::Lanes;
use stream::{Input, libxl, xl};

use crate::Error;

/// Reads the xl header; returns the guest's configuration as it stands there. What follows depends on its world.
///
/// # Errors
/// When it is not what `xc-save` writes.
pub fn config<R: Read>(input: &mut Input<R>) -> Result<Vec<u8>, Error> {
    Ok(xl::Header::read(input).map_err(Error::Envelope)?.config)
}

/// Reads from there up to the libxc stream; returns the lanes that it has beside it.
///
/// # Errors
/// When a layer is not what `xc-save` writes.
pub fn before<R: Read>(input: &mut Input<R>) -> Result<Option<Lanes>, Error> {
    libxl::Header::read(input).map_err(Error::Envelope)?;
    match libxl::Record::read(input).map_err(Error::Envelope)? {
        (_, libxl::Record::LibxcContext) => Ok(None),
        (_, libxl::Record::Lanes(lanes)) => {
            expect(input, &libxl::Record::LibxcContext)?;
            Ok(Some(lanes))
        }
        (head, _) => Err(Error::OtherRecord { name: head.name, offset: head.offset }),
    }
}

/// Reads what follows the libxc stream.
///
/// # Errors
/// When it is anything but the end.
pub fn after<R: Read>(input: &mut Input<R>) -> Result<(), Error> {
    expect(input, &libxl::Record::End)
}

/// Host guests have no device models, so their stream has no records but these.
fn expect<R: Read>(input: &mut Input<R>, expected: &libxl::Record) -> Result<(), Error> {
    let (head, record) = libxl::Record::read(input).map_err(Error::Envelope)?;
    if record == *expected {
        return Ok(());
    }
    Err(Error::OtherRecord { name: head.name, offset: head.offset })
}
