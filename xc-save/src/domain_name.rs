//! How a user names a domain.

use std::fmt;
use std::str::FromStr;

/// A guest process of this machine, `host:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("host:") {
            Some("") => Err("a name must follow host:".into()),
            Some(name) => Ok(Self(name.into())),
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
    }
}
