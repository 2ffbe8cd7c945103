//! `xc-migrate resume`: a domain that a migration left suspended runs here again. `xl` has no command for it.

use super::domain::Attached;
use super::{bare, helper};
use crate::Error;
use crate::domain_name::{AWAY, XenName};
use crate::settings::Settings;

/// Lets it run, under the name that it had before it was given away; returns what it is then.
pub(crate) fn resume(name: &XenName, settings: &Settings) -> Result<String, Error> {
    let domain = Attached::any(name, helper::without(&settings.xl))?;
    bare::resume(domain.found.id)?;
    if let Some(before) = domain.found.name.strip_suffix(AWAY) {
        domain.xl.order(["rename", &domain.id(), before])?;
    }
    Ok(match domain.now()? {
        Some(now) => format!("{} {} here, domain {}", now.name, now.state, now.id),
        None => format!("{name} has ended"),
    })
}
