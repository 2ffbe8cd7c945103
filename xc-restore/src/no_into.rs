//! A build without Xen's libraries.

use ffi::link::ReceiveLink;

use crate::Error;
use crate::run::Run;

pub(crate) fn receive(_: &mut Run<'_>, _: u32, _: ReceiveLink) -> Result<String, Error> {
    Err(Error::NoXen)
}
