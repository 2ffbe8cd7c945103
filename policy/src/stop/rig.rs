//! The test rig that drives every stop policy.

use std::time::Duration;

use super::{Decision, StopPolicy};
use crate::{Facts, Round};

/// Pages of the rig's guest.
const PAGES: u64 = 1000;

/// A round that sent all it planned and left `dirty` pages.
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

/// How many rounds the policy runs on a guest of 1000 pages that leaves `dirty[i]` pages after round `i + 1`.
pub(crate) fn rounds_until_stop(policy: &mut dyn StopPolicy, dirty: &[u64]) -> usize {
    let mut rounds: Vec<Round> = Vec::new();
    loop {
        let elapsed = rounds.iter().map(|r| r.duration).sum();
        let facts = Facts { pages: PAGES, rounds: &rounds, elapsed };
        if policy.decide(&facts) != Decision::Continue {
            return rounds.len();
        }
        let (planned, number) = (facts.dirty(), u32::try_from(rounds.len() + 1).unwrap());
        rounds.push(round(number, planned, dirty[rounds.len()]));
    }
}
