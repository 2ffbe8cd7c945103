//! `NAME[:key=value,...]`, the form in which a policy is chosen.

use std::str::FromStr;

use thiserror::Error;

/// Why a policy could not be made from its text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SpecError {
    /// No policy has this name.
    #[error("unknown {what} policy '{name}'; there are: {known}")]
    UnknownName {
        /// `stop` or `bandwidth`.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The policy has no such parameter.
    #[error("policy '{name}' has no parameter '{key}'; it takes: {known}")]
    UnknownKey {
        /// The policy.
        name: String,
        /// The parameter given.
        key: String,
        /// The parameters that exist.
        known: &'static str,
    },
    /// A parameter is missing.
    #[error("policy '{name}' needs {key}=")]
    MissingKey {
        /// The policy.
        name: String,
        /// The parameter.
        key: &'static str,
    },
    /// A parameter's value cannot be read.
    #[error("policy '{name}': {key}={value} is not {expected}")]
    BadValue {
        /// The policy.
        name: String,
        /// The parameter.
        key: String,
        /// The value given.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A parameter is not of the form `key=value`.
    #[error("policy '{name}': '{text}' is not key=value")]
    NotKeyValue {
        /// The policy.
        name: String,
        /// The text given.
        text: String,
    },
}

/// A parsed `NAME[:key=value,...]`, whose parameters are taken one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The policy's name.
    pub name: String,
    parameters: Vec<(String, String)>,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let mut parameters = Vec::new();
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| SpecError::NotKeyValue { name: name.into(), text: part.into() })?;
            parameters.push((key.into(), value.into()));
        }
        Ok(Self { name: name.into(), parameters })
    }
}

impl Spec {
    /// Takes the parameter `key` out and reads it; `None` when it was not given.
    ///
    /// # Errors
    /// [`SpecError::BadValue`] when `read` refuses the value.
    pub fn take<T>(
        &mut self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SpecError> {
        let Some(at) = self.parameters.iter().position(|(k, _)| k == key) else { return Ok(None) };
        let (key, value) = self.parameters.remove(at);
        match read(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(SpecError::BadValue { name: self.name.clone(), key, value, expected }),
        }
    }

    /// All parameters were taken: any left is unknown.
    ///
    /// # Errors
    /// [`SpecError::UnknownKey`] for the first one left.
    pub fn finish(self, known: &'static str) -> Result<(), SpecError> {
        match self.parameters.into_iter().next() {
            Some((key, _)) => Err(SpecError::UnknownKey { name: self.name, key, known }),
            None => Ok(()),
        }
    }
}

/// Reads a rate in bit/s, decimal units as network links have them: `10G`, `935M`, `1.5G`, `64k`, `8000`.
pub(crate) fn bits_per_second(text: &str) -> Option<f64> {
    let (digits, unit) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1e3),
        'm' | 'M' => (&text[..text.len() - 1], 1e6),
        'g' | 'G' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let value = digits.parse::<f64>().ok()? * unit;
    (value.is_finite() && value >= 8.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_decimal_units() {
        assert_eq!(bits_per_second("10G"), Some(1e10));
        assert_eq!(bits_per_second("1.5m"), Some(1.5e6));
        assert_eq!(bits_per_second("8000"), Some(8e3));
        for bad in ["", "G", "-1G", "0", "inf", "1T", "é"] {
            assert_eq!(bits_per_second(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_spec_says_what_is_wrong() {
        let mut spec: Spec = "fni:n=x,m=1".parse().unwrap();
        let error = spec.take("n", "a whole number", |v| v.parse::<u32>().ok()).unwrap_err();
        assert_eq!(error.to_string(), "policy 'fni': n=x is not a whole number");
        assert_eq!(
            spec.finish("n").unwrap_err().to_string(),
            "policy 'fni' has no parameter 'm'; it takes: n"
        );
        assert!("a:b".parse::<Spec>().is_err());
    }
}
