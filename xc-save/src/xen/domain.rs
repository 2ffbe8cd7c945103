//! A domain as it was found, and as it is now.

use ffi::xl::{Domain, Error as XlError, State, Xl};

use super::helper;
use crate::Error;
use crate::domain_name::XenName;
use crate::settings::Settings;

/// A domain that is moved.
#[derive(Clone, Debug)]
pub struct Attached {
    pub(super) xl: Xl,
    name: XenName,
    pub(super) found: Domain,
}

impl Attached {
    /// The domain of this name or id.
    ///
    /// # Errors
    /// When there is none, or it does not run, or there is no `xl`.
    pub(super) fn find(name: &XenName, settings: &Settings) -> Result<Self, Error> {
        let domain = Self::any(name, helper::xl(&settings.xl, settings.helper.as_deref())?)?;
        match domain.found.state {
            _ if domain.found.id == 0 => Err(Error::ThisHost),
            State::Runs | State::Paused => Ok(domain),
            state => Err(Error::NotRunning(name.to_string(), state)),
        }
    }

    /// The same, whatever it does.
    pub(super) fn any(name: &XenName, xl: Xl) -> Result<Self, Error> {
        let found = xl.find(&name.0)?.ok_or_else(|| Error::NoDomain(name.to_string()))?;
        Ok(Self { xl, name: name.clone(), found })
    }

    pub(super) fn id(&self) -> String {
        self.found.id.to_string()
    }

    /// It, by its id: a domain that comes in may have its name.
    pub(super) fn now(&self) -> Result<Option<Domain>, XlError> {
        let found = self.xl.find(&self.id())?;
        // What is being destroyed is on the list until nobody maps its memory any more.
        Ok(found.filter(|domain| domain.state != State::Ended))
    }

    /// Lets it run, or stay paused, as it was found.
    pub(super) fn unpause(&self) -> Result<(), XlError> {
        if self.found.state == State::Paused { Ok(()) } else { self.xl.order(["unpause", &self.id()]) }
    }

    #[cfg(feature = "xen")]
    pub(super) fn pause(&self) -> Result<(), XlError> {
        self.xl.order(["pause", &self.id()])
    }

    pub(super) fn destroy(&self) -> Result<(), XlError> {
        self.xl.order(["destroy", &self.id()])
    }

    /// Where it is after a failure, and whether it is as it was found.
    pub(crate) fn whereabouts(&self) -> (String, bool) {
        let (name, id) = (&self.name, self.id());
        match self.now() {
            Ok(Some(now)) if now.state == self.found.state && now.name == self.found.name => (
                format!(
                    "{name} {} on here as before",
                    if now.state == State::Runs { "runs" } else { "stays paused" }
                ),
                true,
            ),
            Ok(Some(now)) => {
                let held = &now.name;
                let resume = match now.state {
                    State::Suspended => format!("`xc-migrate resume {id}`"),
                    _ => format!("`xl unpause {id}`"),
                };
                let line = format!(
                    "{name} {} here as {held}, domain {id}; if it does not run on the target, let it run with {resume}, if \
                     it does, end it with `xl destroy {id}`",
                    now.state
                );
                (line, false)
            }
            Ok(None) => (format!("{name} is not here any more; see `xl list` here and on the target"), false),
            Err(error) => (format!("it is not known where {name} is: {error}; see `xl list`"), false),
        }
    }
}
