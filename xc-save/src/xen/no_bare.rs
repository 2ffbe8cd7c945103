//! A build without Xen's libraries: `xl` can be run, and nothing more.

use engine::Abort;
use ffi::link::SendLink;
use sim::Recording;

use super::Attached;
use crate::Error;
use crate::forecast::Watching;
use crate::run::Run;

pub(super) fn save(_: &mut Run<'_>, _: &Attached, _: SendLink) -> Result<String, Error> {
    Err(Error::NoXen)
}

pub(super) fn watch(_: u32, _: Watching, _: &Abort) -> Result<Recording, Error> {
    Err(Error::NoXen)
}

pub(super) fn resume(_: u32) -> Result<(), Error> {
    Err(Error::NoXen)
}
