//! `--into`: a bare libxc stream into a domain that `xl create -p` made and that never ran.

use engine::{Context, RestoreOptions};
use ffi::link::ReceiveLink;
use ffi::xen::XenTarget;
use stream::Input;

use crate::Error;
use crate::run::Run;

/// Fills the domain; it stays paused.
pub(crate) fn receive(run: &mut Run<'_>, domid: u32, link: ReceiveLink) -> Result<String, Error> {
    let mut target = XenTarget::open_existing(domid).map_err(|cause| Error::Xen(cause.into()))?;
    run.name = Some(domid.to_string());
    let mut audience = run.audience();
    let mut context = Context { clock: &run.clock, observer: &mut audience, abort: &run.abort };
    let options = RestoreOptions { digest: run.job.digest };
    let (report, _) = engine::restore(Input::new(link), &mut target, options, &mut context)?;
    run.report = Some(report);
    Ok(format!("domain {domid} is paused here; let it run with `xl unpause {domid}`"))
}
