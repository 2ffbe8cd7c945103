//! Without libxl: the guest is asked to suspend by its node in xenstore, and what is written is the libxc stream alone.
//! For PV and PVH guests, whose state is all in it.

use engine::{Abort, Context, Source, SourceDomain, StreamSink, Toolstack};
use ffi::MapMode;
use ffi::link::SendLink;
use ffi::xen::{XenSource, XenToolstack};
use sim::Recording;

use super::Attached;
use crate::forecast::{Watching, record};
use crate::job::Afterwards;
use crate::run::Run;
use crate::{Error, places};

/// Saves a domain as a bare libxc stream.
pub(super) fn save(run: &mut Run<'_>, domain: &Attached, mut link: SendLink) -> Result<String, Error> {
    if link.is_duplex() {
        return Err(Error::BareAnswer);
    }
    let mut toolstack = XenToolstack::open(domain.found.id, &run.abort).map_err(xen)?;
    send(run, domain, &mut link, &mut toolstack)?;
    let durable = link.is_durable();
    if let Err(cause) = link.commit() {
        toolstack.resume().map_err(Error::Xen)?;
        return Err(run.heard(cause.into()));
    }
    if run.job.afterwards != Afterwards::Run && !(durable && run.job.afterwards == Afterwards::End) {
        domain.pause().map_err(|cause| Error::Aftermath("paused", cause.into()))?;
    }
    if durable && run.job.afterwards == Afterwards::End {
        domain.destroy().map_err(|cause| Error::Aftermath("ended", cause.into()))?;
    } else {
        toolstack.resume().map_err(|cause| Error::Aftermath("resumed", cause))?;
    }
    Ok(places::kept(run.job, durable))
}

fn send(
    run: &mut Run<'_>,
    domain: &Attached,
    link: &mut SendLink,
    toolstack: &mut XenToolstack,
) -> Result<(), Error> {
    let mut guest = XenSource::open(domain.found.id, run.job.settings.map).map_err(xen)?;
    let mut tracker = guest.tracker().map_err(xen)?;
    let kind = guest.header().kind;
    let (mut options, mut audience) = (run.options(link)?, run.audience());
    let mut sink = StreamSink::new(link, kind, &run.clock, &run.abort);
    let source = Source { domain: &mut guest, tracker: &mut tracker, toolstack };
    let mut context = Context { clock: &run.clock, observer: &mut audience, abort: &run.abort };
    run.report = Some(engine::save(source, &mut sink, &mut options, &mut context)?);
    Ok(())
}

/// Records what a domain writes. Nothing of it is mapped; what it would take to suspend it is not asked for.
pub(super) fn watch(id: u32, how: Watching, abort: &Abort) -> Result<Recording, Error> {
    let mut domain = XenSource::open(id, MapMode::Batch).map_err(xen)?;
    let mut tracker = domain.tracker().map_err(xen)?;
    let mut toolstack = XenToolstack::open(id, abort).map_err(xen)?;
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    record(source, how, abort)
}

/// Lets a suspended domain run.
pub(super) fn resume(id: u32) -> Result<(), Error> {
    XenToolstack::open(id, &Abort::new()).map_err(xen)?.resume().map_err(Error::Xen)
}

fn xen(error: ffi::xen::Error) -> Error {
    Error::Xen(error.into())
}
