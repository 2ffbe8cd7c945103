//! How a user names a domain, and what its world's commands are.

use std::fmt;
use std::str::FromStr;

use ffi::host::names;

/// What xl calls a domain that it has given away.
pub(crate) const AWAY: &str = "--migratedaway";

/// A domain of any world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainName {
    /// `host:NAME`.
    Host(HostName),
    /// Anything else.
    Xen(XenName),
}

impl DomainName {
    /// As its world's own commands know it.
    #[must_use]
    pub fn own(&self) -> &str {
        match self {
            Self::Host(name) => &name.0,
            Self::Xen(name) => &name.0,
        }
    }

    /// The name of the guest while it is given away.
    #[must_use]
    pub fn held(&self) -> String {
        match self {
            Self::Host(name) => names::migrated_away(&name.0),
            Self::Xen(name) => format!("{}{AWAY}", name.0),
        }
    }

    /// The command that lets a guest run that is paused; of guest processes, one that is given away too.
    #[must_use]
    pub fn resume(&self, name: &str) -> String {
        match self {
            Self::Host(_) => format!("`xc-guest resume {name}`"),
            Self::Xen(_) => format!("`xl unpause {name}`"),
        }
    }

    /// The command that ends the guest.
    #[must_use]
    pub fn end(&self, name: &str) -> String {
        match self {
            Self::Host(_) => format!("`xc-guest stop {name}`"),
            Self::Xen(_) => format!("`xl destroy {name}`"),
        }
    }

    /// The command that shows what is here.
    #[must_use]
    pub fn list(&self) -> &'static str {
        match self {
            Self::Host(_) => "`xc-guest list`",
            Self::Xen(_) => "`xl list`",
        }
    }
}

impl FromStr for DomainName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(HOST) { text.parse().map(Self::Host) } else { text.parse().map(Self::Xen) }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => name.fmt(f),
            Self::Xen(name) => name.fmt(f),
        }
    }
}

/// What a guest process of this machine is named with.
const HOST: &str = "host:";

/// A guest process of this machine, `host:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(HOST) {
            Some("") => Err("a name must follow host:".into()),
            Some(name) => names::check(name).map(|()| Self(name.into())).map_err(|error| error.to_string()),
            None => Err(format!("'{text}' is no guest process of this machine: host:NAME")),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HOST}{}", self.0)
    }
}

/// A Xen domain by its name or id, as xl takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XenName(pub String);

impl FromStr for XenName {
    type Err = String;

    /// xl would take a hyphen for an option, and the name becomes part of a file's name.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.starts_with(['-', '.']) || text.contains(['/', '\0', '\n']) {
            return Err(format!("{text:?} is neither a Xen domain's name or id, nor host:NAME"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for XenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_world() {
        let host: DomainName = "host:web".parse().unwrap();
        assert_eq!(host, DomainName::Host(HostName("web".into())));
        assert_eq!(host.to_string(), "host:web");
        assert!("host:".parse::<DomainName>().is_err());
        assert!("host:a/b".parse::<DomainName>().unwrap_err().contains("only letters"));
        for name in ["web", "7", "web server"] {
            let xen: DomainName = name.parse().unwrap();
            assert_eq!((xen.to_string(), xen.own()), (name.into(), name));
        }
        for name in ["", "-p", "../web", "a/b", "a\nb"] {
            assert!(name.parse::<DomainName>().unwrap_err().contains("host:NAME"), "{name}");
        }
    }
}
