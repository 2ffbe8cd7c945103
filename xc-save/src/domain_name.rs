//! How a user names a domain, and what its world's commands are.

use std::fmt;
use std::str::FromStr;

use ffi::host::names;

/// A guest process of this machine, `host:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl HostName {
    /// The name of the guest while it is given away.
    #[must_use]
    pub fn held(&self) -> String {
        names::migrated_away(&self.0)
    }

    /// The command that lets the guest run, given away or not.
    #[must_use]
    pub fn resume(&self, name: &str) -> String {
        format!("`xc-guest resume {name}`")
    }

    /// The command that ends the guest.
    #[must_use]
    pub fn end(&self, name: &str) -> String {
        format!("`xc-guest stop {name}`")
    }

    /// The command that shows what is here.
    #[must_use]
    pub fn list(&self) -> &'static str {
        "`xc-guest list`"
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("host:") {
            Some("") => Err("a name must follow host:".into()),
            Some(name) => names::check(name).map(|()| Self(name.into())).map_err(|error| error.to_string()),
            None => Err(format!(
                "'{text}' would be a Xen domain, which this release cannot move yet; a guest process of this \
                 machine is host:NAME (see `xc-guest list`)"
            )),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_guests_yet() {
        assert_eq!("host:web".parse(), Ok(HostName("web".into())));
        assert_eq!(HostName("web".into()).to_string(), "host:web");
        assert!("web".parse::<HostName>().unwrap_err().contains("Xen domain"));
        assert!("host:".parse::<HostName>().is_err());
        assert!("host:a/b".parse::<HostName>().unwrap_err().contains("only letters"));
    }
}
