//! A build without Xen's libraries: `xl` can be run, and nothing more.

use ffi::link::SendLink;

use super::Attached;
use crate::Error;
use crate::run::Run;

pub(super) fn save(_: &mut Run<'_>, _: &Attached, _: SendLink) -> Result<String, Error> {
    Err(Error::NoXen)
}

pub(super) fn resume(_: u32) -> Result<(), Error> {
    Err(Error::NoXen)
}
