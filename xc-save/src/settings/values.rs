//! The values in force, and where each comes from.

use std::fmt;
use std::path::PathBuf;

use super::{ALL, Flags, Setting, file};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(String),
    /// A line of the configuration file.
    File(PathBuf, usize),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(key) => write!(f, "--{}", key.replace('_', "-")),
            Self::Environment(variable) => write!(f, "{variable} in the environment"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Why the settings cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A value that cannot be.
    #[error("{origin}: {key} = {value:?}: {fault}")]
    Value {
        /// Where it is.
        origin: Origin,
        /// Which setting.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong and what was expected.
        fault: String,
    },
    /// A line of the file that sets nothing.
    #[error("{}, line {line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        fault: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A value for every setting.
#[derive(Clone, Debug)]
pub struct Values(Vec<(&'static Setting, String, Origin)>);

impl Values {
    /// Each from the first that has it: these flags, the environment, the file, the default. All are checked, those
    /// that something else overrides too.
    ///
    /// # Errors
    /// The first value that cannot be.
    pub fn load(flags: Flags) -> Result<Self, SettingError> {
        let Self(mut values) = Self::defaults();
        let environment = ALL.into_iter().filter_map(|setting| {
            let variable = setting.variable();
            let value = std::env::var(&variable).ok()?;
            Some((setting, value, Origin::Environment(variable)))
        });
        let flags = flags.into_iter().map(|(setting, value)| (setting, value, Origin::Flag(setting.key)));
        for (setting, value, origin) in file::read()?.into_iter().chain(environment).chain(flags) {
            check(setting, &value, &origin)?;
            if let Some(place) = values.iter_mut().find(|(known, ..)| known.key == setting.key) {
                *place = (setting, value, origin);
            }
        }
        Ok(Self(values))
    }

    /// The value of each that nobody sets.
    pub(crate) fn defaults() -> Self {
        Self(ALL.map(|setting| (setting, setting.default.to_owned(), Origin::Default)).into())
    }

    /// The value in force; empty for "none".
    pub(crate) fn text(&self, setting: &Setting) -> &str {
        let found = self.0.iter().find(|(known, ..)| known.key == setting.key);
        found.map_or(setting.default, |(_, value, _)| value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, &str, &Origin)> {
        self.0.iter().map(|(setting, value, origin)| (*setting, value.as_str(), origin))
    }
}

/// An empty value is "none" where the default is that, and for `ssh`.
fn check(setting: &'static Setting, value: &str, origin: &Origin) -> Result<(), SettingError> {
    if value.is_empty() && setting.default.is_empty() {
        return Ok(());
    }
    (setting.check)(value).map_err(|fault| SettingError::Value {
        origin: origin.clone(),
        key: setting.key,
        value: value.to_owned(),
        fault,
    })
}
