//! `NAME[:[value,]key=value,...]`, the form in which a policy is chosen.

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
    /// A trained model cannot be had.
    #[error("policy '{name}': cannot read the model '{file}': {reason}")]
    Model {
        /// The policy.
        name: String,
        /// Where the model should be.
        file: String,
        /// Why there is none.
        reason: String,
    },
    /// A list of policies in brackets cannot be read.
    #[error("'{text}': {reason}; expected any(POLICY,...) or all(POLICY,...)")]
    Brackets {
        /// The text given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A parsed `NAME[:[value,]key=value,...]`, whose parameters are taken one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The policy's name.
    pub name: String,
    parameters: Vec<(String, String)>,
    /// Values without a key.
    bare: Vec<String>,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let (mut parameters, mut bare) = (Vec::new(), Vec::new());
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) => parameters.push((key.into(), value.into())),
                None => bare.push(part.into()),
            }
        }
        Ok(Self { name: name.into(), parameters, bare })
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

    /// As [`Spec::take`], for a parameter that must be given.
    ///
    /// # Errors
    /// Also [`SpecError::MissingKey`].
    pub fn need<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SpecError> {
        let missing = SpecError::MissingKey { name: self.name.clone(), key };
        self.take(key, expected, read)?.ok_or(missing)
    }

    /// As [`Spec::need`], for the one parameter that may be given without its key: `downtime:300ms`.
    ///
    /// # Errors
    /// As [`Spec::need`].
    pub fn need_bare<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SpecError> {
        if !self.bare.is_empty() {
            self.parameters.push((key.into(), self.bare.remove(0)));
        }
        self.need(key, expected, read)
    }

    /// All parameters were taken: any left is unknown.
    ///
    /// # Errors
    /// [`SpecError::NotKeyValue`] or [`SpecError::UnknownKey`] for the first one left.
    pub fn finish(self, known: &'static str) -> Result<(), SpecError> {
        if let Some(text) = self.bare.into_iter().next() {
            return Err(SpecError::NotKeyValue { name: self.name, text });
        }
        match self.parameters.into_iter().next() {
            Some((key, _)) => Err(SpecError::UnknownKey { name: self.name, key, known }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<u32> {
        text.parse().ok()
    }

    #[test]
    fn a_spec_says_what_is_wrong() {
        let mut spec: Spec = "fni:n=x,m=1".parse().unwrap();
        let error = spec.take("n", "a whole number", number).unwrap_err();
        assert_eq!(error.to_string(), "policy 'fni': n=x is not a whole number");
        assert_eq!(
            spec.finish("n").unwrap_err().to_string(),
            "policy 'fni' has no parameter 'm'; it takes: n"
        );
    }

    #[test]
    fn a_value_without_a_key_is_taken_where_one_may_be() {
        let mut spec: Spec = "a:5,b=6".parse().unwrap();
        assert_eq!(spec.need_bare("n", "a whole number", number), Ok(5));
        assert_eq!(spec.need("b", "a whole number", number), Ok(6));
        assert_eq!(spec.finish("n, b"), Ok(()));
        let error = "a:5".parse::<Spec>().unwrap().finish("none").unwrap_err();
        assert_eq!(error.to_string(), "policy 'a': '5' is not key=value");
    }

    #[test]
    fn a_parameter_given_twice_is_left_over() {
        let mut spec: Spec = "a:5,n=6".parse().unwrap();
        assert_eq!(spec.need_bare("n", "a whole number", number), Ok(6));
        assert!(spec.finish("n").is_err());
    }
}
