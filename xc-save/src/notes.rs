//! Letters that mean nothing, or cannot be, in a guest's world.

use crate::console::say;
use crate::domain_name::DomainName;
use crate::job::{Afterwards, Job};

/// Says what changes nothing.
///
/// # Errors
/// What cannot be.
pub(crate) fn check(job: &Job) -> Result<(), &'static str> {
    match job.domain {
        DomainName::Host(_) if job.preserve_domid => {
            say("note: -D changes nothing, a guest process has no domain id to preserve");
        }
        DomainName::Host(_) if job.bare => return Err("--bare is for Xen domains"),
        DomainName::Xen(_) if job.afterwards == Afterwards::Hold => {
            return Err("--hold is for guest processes; a Xen domain is kept by `xc-save -p`");
        }
        _ => {}
    }
    Ok(())
}
