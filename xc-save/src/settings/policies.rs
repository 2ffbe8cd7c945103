//! From the settings' texts to the policies.

use std::fs::File;
use std::io::Read as _;

use policy::SpecError;
use policy::bandwidth::{self, BandwidthPolicy};
use policy::markov::Model;
use policy::stop::{self, StopPolicy};

use super::Settings;
use crate::limits::Limited;

/// More than any model has, bytes.
const LARGEST_MODEL: u64 = 4 << 20;

impl Settings {
    /// The stop policy within the limits.
    ///
    /// # Errors
    /// When it cannot be made; the check of the settings has made it once already.
    pub(crate) fn stop_policy(&self) -> Result<Box<dyn StopPolicy>, SpecError> {
        self.limited(&self.stop)
    }

    /// Another stop policy within the same limits.
    ///
    /// # Errors
    /// As [`Settings::stop_policy`].
    pub(crate) fn limited(&self, stop: &str) -> Result<Box<dyn StopPolicy>, SpecError> {
        Ok(Box::new(Limited::new(by_name(stop)?, self)))
    }

    /// The bandwidth policy.
    ///
    /// # Errors
    /// As [`Settings::stop_policy`].
    pub(crate) fn bandwidth_policy(&self) -> Result<Box<dyn BandwidthPolicy>, SpecError> {
        bandwidth::by_name(&self.bandwidth)
    }
}

/// The stop policy of this text, with its model if it names one.
pub(super) fn by_name(text: &str) -> Result<Box<dyn StopPolicy>, SpecError> {
    stop::with_models(text, &read_model)
}

fn read_model(file: &str) -> Result<Model, String> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(file)?.take(LARGEST_MODEL).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    Model::from_bytes(&read().map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

/// A rate as the policies read it, whole bit/s.
pub(crate) fn rate_text(bits_per_second: f64) -> String {
    format!("{bits_per_second:.0}")
}

#[cfg(test)]
mod tests {
    use policy::units;

    use super::*;

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        assert_eq!(units::bits_per_second(&rate_text(4.675e9)), Some(4.675e9));
    }
}
