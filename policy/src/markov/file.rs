//! A model as bytes, little-endian:
//!
//! ```text
//! 0   8  magic "DIRTYMKV"
//! 8   4  version, 1
//! 12  4  window n, 1 to 1024
//! 16  4  patterns N, 1 to 128
//! 20  8  slot, nanoseconds, not 0
//! 28     N patterns of n states, f64, finite and not negative
//!        N rows of N counts, u32: row i, column j is how often j followed i
//! ```
//!
//! Nothing follows. A whole model is at most 1.1 MB.

use std::time::Duration;

use thiserror::Error;

use super::Model;
use super::patterns::MAX_PATTERNS;

const MAGIC: [u8; 8] = *b"DIRTYMKV";
const VERSION: u32 = 1;
/// The longest window that is read: with slots of 100 ms, 102 s.
pub const MAX_WINDOW: usize = 1024;

/// Why bytes are no model.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ModelError {
    /// They are something else.
    #[error("not a dirty-growth model: it does not start with \"DIRTYMKV\"")]
    Magic,
    /// A newer format.
    #[error("dirty-growth model of version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A number in the header is out of its range.
    #[error("dirty-growth model with {what} {value}; expected {expected}")]
    Header {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// Cut, or something follows.
    #[error("dirty-growth model of {found} bytes; its header says {expected}")]
    Length {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// A state is no number of pages.
    #[error(
        "dirty-growth model with the state {value} in pattern {pattern}; expected a finite number, not negative"
    )]
    State {
        /// The pattern, from 0.
        pattern: usize,
        /// The state.
        value: String,
    },
}

impl Model {
    /// The model as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let slot = u64::try_from(self.slot.as_nanos()).unwrap_or(u64::MAX);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(number(self.window));
        bytes.extend(number(self.patterns.len()));
        bytes.extend(slot.to_le_bytes());
        bytes.extend(self.patterns.iter().flatten().flat_map(|state| state.to_le_bytes()));
        bytes.extend(self.counts.iter().flatten().flat_map(|count| count.to_le_bytes()));
        bytes
    }

    /// Reads a model, which may come from anywhere.
    ///
    /// # Errors
    /// A [`ModelError`] that says what is wrong; no memory is taken before the length is known to fit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(ModelError::Magic)?;
        if *magic != MAGIC {
            return Err(ModelError::Magic);
        }
        let cut = || ModelError::Length { found: bytes.len(), expected: HEADER };
        let (version, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(ModelError::Version(other)),
        }
        let (window, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (count, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (slot, body) = rest.split_first_chunk().ok_or_else(cut)?;
        let window = within("a window of", u32::from_le_bytes(*window), MAX_WINDOW, "1 to 1024")?;
        let count = within("a pattern count of", u32::from_le_bytes(*count), MAX_PATTERNS, "1 to 128")?;
        let slot = Duration::from_nanos(u64::from_le_bytes(*slot));
        if slot.is_zero() {
            return Err(ModelError::Header { what: "a slot of", value: 0, expected: "nanoseconds, not 0" });
        }
        let (states, counts) = (window * count * 8, count * count * 4);
        if body.len() != states + counts {
            return Err(ModelError::Length { found: bytes.len(), expected: HEADER + states + counts });
        }
        let (states, counts) = body.split_at(states);
        Ok(Self { slot, window, patterns: patterns(states, window)?, counts: rows(counts, count) })
    }
}

/// Bytes before the patterns.
const HEADER: usize = 28;

fn within(what: &'static str, value: u32, most: usize, expected: &'static str) -> Result<usize, ModelError> {
    let wrong = ModelError::Header { what, value: value.into(), expected };
    usize::try_from(value).ok().filter(|value| (1..=most).contains(value)).ok_or(wrong)
}

fn patterns(bytes: &[u8], window: usize) -> Result<Vec<Vec<f64>>, ModelError> {
    let states: Vec<f64> = bytes.as_chunks().0.iter().map(|state| f64::from_le_bytes(*state)).collect();
    match states.iter().position(|state| !(state.is_finite() && *state >= 0.0)) {
        Some(at) => Err(ModelError::State { pattern: at / window, value: states[at].to_string() }),
        None => Ok(states.chunks(window).map(<[f64]>::to_vec).collect()),
    }
}

fn rows(bytes: &[u8], count: usize) -> Vec<Vec<u32>> {
    let counts: Vec<u32> = bytes.as_chunks().0.iter().map(|count| u32::from_le_bytes(*count)).collect();
    counts.chunks(count).map(<[u32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::learn(&[&[10, 50, 90, 10, 50, 90, 10]], Duration::from_millis(100), 2).unwrap()
    }

    #[test]
    fn there_and_back() {
        let bytes = model().to_bytes();
        assert_eq!(Model::from_bytes(&bytes), Ok(model()));
        assert_eq!(bytes.len(), HEADER + 3 * 2 * 8 + 3 * 3 * 4);
    }

    #[test]
    fn no_part_of_it_passes_for_the_whole_and_nothing_may_follow() {
        let bytes = model().to_bytes();
        for length in 0..bytes.len() {
            assert!(Model::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(matches!(Model::from_bytes(&[&bytes[..], &[0]].concat()), Err(ModelError::Length { .. })));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mistake = |at: usize, patch: &[u8]| {
            let mut bytes = model().to_bytes();
            bytes[at..at + patch.len()].copy_from_slice(patch);
            Model::from_bytes(&bytes).unwrap_err().to_string()
        };
        assert!(mistake(0, b"X").starts_with("not a dirty-growth model"));
        assert!(mistake(8, &[2]).starts_with("dirty-growth model of version 2;"));
        assert!(mistake(12, &[0]).contains("a window of 0; expected 1 to 1024"));
        assert!(mistake(16, &[0xff; 4]).contains("a pattern count of 4294967295"));
        assert!(mistake(20, &[0; 8]).contains("a slot of 0"));
        assert!(mistake(28 + 16, &f64::NAN.to_le_bytes()).contains("the state NaN in pattern 1"));
        assert!(mistake(28, &(-1.0_f64).to_le_bytes()).contains("the state -1 in pattern 0"));
    }

    #[test]
    fn any_counts_predict_without_a_panic() {
        let mut bytes = model().to_bytes();
        let counts = bytes.len() - 3 * 3 * 4;
        bytes[counts..].fill(0xff);
        let model = Model::from_bytes(&bytes).unwrap();
        assert_eq!(model.probability(0, 0), 1.0 / 3.0);
        assert_eq!(model.follower(2, 0), 0);
    }
}
