//! A domain into a file or a pipe, by `xl save`.

use ffi::link::SendLink;
use ffi::xl::{Ends, Error as XlError};

use super::{Attached, attended, subcommand};
use crate::job::Afterwards;
use crate::run::Run;
use crate::{Error, places};

/// Saves it. `xl save` by itself ends the domain when it has written the file, be that on the disk or not; so it is told
/// to leave it paused, and what becomes of it is decided when the file is safe.
pub(super) fn save(run: &mut Run<'_>, domain: &Attached, link: SendLink) -> Result<String, Error> {
    let mut args = subcommand(run.job, "save");
    args.push(if run.job.afterwards == Afterwards::Run { "-c" } else { "-p" }.into());
    args.push(domain.id().into());
    args.push(link.path().into());
    args.extend(run.job.config.as_ref().map(Into::into));
    attended(run, domain, &args, Ends::default(), |_| Ok(false))?;
    let durable = link.is_durable();
    commit(run, link).or_else(|error| back(run, domain, error))?;
    if durable && run.job.afterwards == Afterwards::End {
        domain.destroy().map_err(|cause| Error::Aftermath("ended", cause.into()))?;
    }
    Ok(places::kept(run.job, durable))
}

fn commit(run: &Run<'_>, link: SendLink) -> Result<(), Error> {
    if let Some(reason) = run.abort.reason() {
        return Err(Error::Aborted(reason.into()));
    }
    link.commit().map_err(|cause| run.heard(cause.into()))
}

/// The domain was left paused, and shall be as it was found.
fn back(run: &Run<'_>, domain: &Attached, error: Error) -> Result<(), Error> {
    if run.job.afterwards != Afterwards::Run {
        // If this fails, that shows where the domain is asked for.
        domain.unpause().unwrap_or_else(|cause: XlError| tracing::warn!("{cause}"));
    }
    Err(error)
}
