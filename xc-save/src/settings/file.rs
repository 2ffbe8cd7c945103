//! The configuration file.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::values::{Origin, SettingError};
use super::{ALL, Setting};

/// Where it is.
pub const DEFAULT_CONFIG: &str = "/etc/xen/xc-migrate.toml";
/// The variable that says where else.
pub const CONFIG_VARIABLE: &str = "XC_MIGRATE_CONFIG";

type Line = (&'static Setting, String, Origin);

/// What the file sets. One at the default place may be missing, one that was named may not.
pub(super) fn read() -> Result<Vec<Line>, SettingError> {
    let named = env::var_os(CONFIG_VARIABLE);
    let path = named.as_ref().map_or_else(|| DEFAULT_CONFIG.into(), PathBuf::from);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => Ok(Vec::new()),
        Err(source) => Err(SettingError::Unreadable { path, source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Line>, SettingError> {
    let wrong = |at: Range<usize>, fault: String| SettingError::Line {
        path: path.to_owned(),
        line: line_of(text, at.start),
        fault,
    };
    let table = DeTable::parse(text)
        .map_err(|error| wrong(error.span().unwrap_or_default(), error.message().to_owned()))?;
    let mut lines = Vec::new();
    for (key, value) in table.get_ref() {
        let Some(setting) = ALL.into_iter().find(|setting| setting.key == key.get_ref().as_ref()) else {
            let known = ALL.map(|setting| setting.key).join(", ");
            return Err(wrong(
                key.span(),
                format!("unknown setting {:?}; there are: {known}", key.get_ref()),
            ));
        };
        let DeValue::String(text_value) = value.get_ref() else {
            return Err(wrong(value.span(), format!("{} must be a text in quotes", setting.key)));
        };
        let origin = Origin::File(path.to_owned(), line_of(text, key.span().start));
        lines.push((setting, text_value.clone().into_owned(), origin));
    }
    // A table has no order; the first mistake shall be the first in the file.
    lines.sort_by_key(|(_, _, origin)| if let Origin::File(_, line) = origin { *line } else { 0 });
    Ok(lines)
}

/// Counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        parse(Path::new("x.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_known_by_number() {
        let lines = parse(Path::new("x.toml"), "# a\n\nstop = \"psc\"\ntimeout = \"60s\"\n").unwrap();
        let found: Vec<_> = lines.iter().map(|(s, v, o)| (s.key, v.as_str(), o.to_string())).collect();
        assert_eq!(
            found,
            [("stop", "psc", "x.toml, line 3".into()), ("timeout", "60s", "x.toml, line 4".into())]
        );
    }

    #[test]
    fn mistakes_name_line_and_what_was_expected() {
        assert!(
            mistake("\nstopp = \"psc\"")
                .starts_with("x.toml, line 2: unknown setting \"stopp\"; there are: stop, ")
        );
        assert_eq!(mistake("timeout = 60"), "x.toml, line 1: timeout must be a text in quotes");
        assert!(mistake("a = \"b\"\nstop =\n").starts_with("x.toml, line 2: "));
    }
}
