//! What was measured so far: all that a policy may look at.

use std::time::Duration;

/// One finished round of the pre-copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// 1 for the first.
    pub number: u32,
    /// Pages that were to be sent.
    pub planned: u64,
    /// Pages sent.
    pub sent: u64,
    /// Pages not sent because they were dirty again before their turn.
    pub skipped: u64,
    /// Bytes accepted by the link.
    pub bytes: u64,
    /// How long the round took, its harvest included.
    pub duration: Duration,
    /// Pages that the harvest after the round found dirty.
    pub dirty: u64,
}

/// The state of a migration when a policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Pages of the guest: Xen's `p2m_size`, which `3 x RAM` refers to.
    pub pages: u64,
    /// The rounds so far; empty before the first.
    pub rounds: &'a [Round],
    /// Time since the migration began.
    pub elapsed: Duration,
}

impl Facts<'_> {
    /// Pages that wait to be sent now: all of them before the first round.
    #[must_use]
    pub fn dirty(&self) -> u64 {
        self.rounds.last().map_or(self.pages, |round| round.dirty)
    }

    /// Pages sent in all rounds.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.rounds.iter().map(|round| round.sent).sum()
    }
}
