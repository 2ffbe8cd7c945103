//! What was measured so far: all that a policy may look at.

use std::time::Duration;

/// Bytes of a page of guest memory, on every world.
pub const PAGE_BYTES: u64 = 4096;
/// Bits of a page.
const PAGE_BITS: f64 = PAGE_BYTES as f64 * 8.0;

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

impl Round {
    /// How fast the guest dirtied memory in this round, in bit/s: the pages of its harvest over its time. 0 for a
    /// round that took no time.
    #[must_use]
    pub fn dirty_bits_per_second(&self) -> f64 {
        per_second(self.dirty as f64 * PAGE_BITS, self.duration)
    }

    /// How fast the link took the round, in bytes/s; `None` where that cannot be told.
    fn bytes_per_second(&self) -> Option<f64> {
        let rate = per_second(self.bytes as f64, self.duration);
        (rate > 0.0).then_some(rate)
    }
}

fn per_second(amount: f64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { amount / time.as_secs_f64() }
}

/// How busy the physical link is, as its counters say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkUse {
    /// What the link can carry, bit/s: `T_bw` of Fang, Liao and Ge, Fig. 1.
    pub total: f64,
    /// What others carry over it, bit/s, without this migration: their `U_bw`.
    pub used: f64,
}

impl LinkUse {
    /// What is free, bit/s: their `F_bw = T_bw - U_bw`, and never negative.
    #[must_use]
    pub fn free(self) -> f64 {
        (self.total - self.used).max(0.0)
    }
}

/// The state of a migration when a policy is asked.
///
/// What nobody measured has its [`Default`], with which a policy that needs it does as well as it can.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Pages of the guest: Xen's `p2m_size`, which `3 x RAM` refers to.
    pub pages: u64,
    /// The rounds so far; empty before the first.
    pub rounds: &'a [Round],
    /// Time since the migration began.
    pub elapsed: Duration,
    /// The dirty growth since log-dirty began: pages that became dirty in each whole slot, one behind the other
    /// (see [`GrowthSeries`](crate::GrowthSeries)). Empty where nobody looks between the harvests.
    pub growth: &'a [u64],
    /// How long a slot of `growth` is.
    pub slot: Duration,
    /// The physical link; `None` where nobody reads its counters.
    pub link: Option<LinkUse>,
    /// What a stop-and-copy takes besides sending pages, as far as it was measured: suspend, last harvest, state.
    pub fixed_downtime: Duration,
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

    /// The rate of the last round that sent anything, in bytes/s; `None` before there is one.
    ///
    /// The last and not the mean: a link that became slow must not look fast. A short round looks slower than the
    /// link is, for its harvest counts; then a policy that waits for a short downtime runs a round more.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.rounds.iter().rev().find_map(Round::bytes_per_second)
    }

    /// How long this many pages take at [`Facts::bytes_per_second`].
    #[must_use]
    pub fn time_to_send(&self, pages: f64) -> Option<Duration> {
        let seconds = pages * PAGE_BYTES as f64 / self.bytes_per_second()?;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The downtime if the guest were suspended now: what waits over the measured rate, and the fixed part.
    #[must_use]
    pub fn downtime_now(&self) -> Option<Duration> {
        Some(self.time_to_send(self.dirty() as f64)?.saturating_add(self.fixed_downtime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::rig;

    #[test]
    fn the_rate_is_that_of_the_last_round_that_sent_anything() {
        // 1000 pages in 1 s, then an empty round.
        let rounds = [rig::round(1, 1000, 500), rig::round(2, 0, 500)];
        let facts = Facts { pages: 1000, rounds: &rounds, ..Facts::default() };
        assert_eq!(facts.bytes_per_second(), Some(4_096_000.0));
        assert_eq!(facts.downtime_now(), Some(Duration::from_millis(500)));
        assert_eq!(Facts::default().downtime_now(), None);
    }

    #[test]
    fn the_dirty_rate_is_in_bits() {
        assert_eq!(rig::round(1, 2000, 100).dirty_bits_per_second(), 50.0 * 32768.0);
        assert_eq!(rig::round(1, 0, 100).dirty_bits_per_second(), 0.0);
    }
}
