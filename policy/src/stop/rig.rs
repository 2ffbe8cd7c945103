//! The test rig that drives every stop policy.

use std::time::Duration;

use super::{Decision, StopPolicy};
use crate::{Facts, Round};

/// Pages of the rig's guest.
pub(crate) const PAGES: u64 = 1000;

/// A round that sent all it planned, at a page a millisecond, and left `dirty` pages.
pub(crate) fn round(number: u32, planned: u64, dirty: u64) -> Round {
    Round {
        number,
        planned,
        sent: planned,
        skipped: 0,
        bytes: planned * 4096,
        duration: Duration::from_millis(planned),
        dirty,
    }
}

/// The rounds of a guest of [`PAGES`] pages that leaves `dirty[i]` pages after round `i + 1`.
pub(crate) fn rounds(dirty: &[u64]) -> Vec<Round> {
    let planned = std::iter::once(PAGES).chain(dirty.iter().copied());
    (1..).zip(planned).zip(dirty).map(|((number, planned), &dirty)| round(number, planned, dirty)).collect()
}

/// How many rounds the policy runs on such a guest.
pub(crate) fn rounds_until_stop(policy: &mut dyn StopPolicy, dirty: &[u64]) -> usize {
    let rounds = rounds(dirty);
    for done in 0..=rounds.len() {
        let rounds = &rounds[..done];
        let elapsed = rounds.iter().map(|r| r.duration).sum();
        if policy.decide(&Facts { pages: PAGES, rounds, elapsed, ..Facts::default() }) != Decision::Continue {
            return done;
        }
    }
    panic!("{} still goes on after {} rounds", policy.name(), rounds.len());
}
