//! What a policy was shown and what it answered, on any world.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::SaveReport;
use policy::bandwidth::{BandwidthPolicy, Rate, Stage};
use policy::stop::{Decision, StopPolicy};
use policy::{Facts, LinkUse, Round};

/// How much longer than its last byte's turn a round may seem to be at a set rate: what the pacer lets a link catch up,
/// and what it sends at one go, rounded up.
const PACED_WITHIN: Duration = Duration::from_millis(5);
/// Bits in a byte.
const BITS: f64 = 8.0;

/// A policy of which every answer is noted.
pub struct Witnessed<P: ?Sized, A> {
    inner: Box<P>,
    notes: Notes<A>,
}

/// The questions and the answers, in order. Clones share them.
#[derive(Clone, Debug)]
pub struct Notes<A>(Arc<Mutex<Vec<(Seen, A)>>>);

/// The facts of one question.
#[derive(Clone, Debug)]
struct Seen {
    pages: u64,
    rounds: Vec<Round>,
    elapsed: Duration,
    growth: Vec<u64>,
    slot: Duration,
    link: Option<LinkUse>,
    fixed_downtime: Duration,
}

impl<P: ?Sized, A> Witnessed<P, A> {
    /// `inner`, and where its answers are noted.
    #[must_use]
    pub fn new(inner: Box<P>) -> (Self, Notes<A>) {
        let notes = Notes(Arc::default());
        (Self { inner, notes: Notes(Arc::clone(&notes.0)) }, notes)
    }
}

impl<P: ?Sized, A> fmt::Debug for Witnessed<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witnessed").finish_non_exhaustive()
    }
}

impl StopPolicy for Witnessed<dyn StopPolicy, Decision> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let decision = self.inner.decide(facts);
        self.notes.lock().push((Seen::from(facts), decision.clone()));
        decision
    }
}

impl BandwidthPolicy for Witnessed<dyn BandwidthPolicy, (Stage, Rate)> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn rate(&mut self, stage: Stage, facts: &Facts<'_>) -> Rate {
        let rate = self.inner.rate(stage, facts);
        self.notes.lock().push((Seen::from(facts), (stage, rate)));
        rate
    }
}

impl<A: Clone> Notes<A> {
    /// The answers, in order.
    #[must_use]
    pub fn answers(&self) -> Vec<A> {
        self.lock().iter().map(|(_, answer)| answer.clone()).collect()
    }
}

impl<A> Notes<A> {
    fn lock(&self) -> MutexGuard<'_, Vec<(Seen, A)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes<Decision> {
    /// What this policy decides when it is shown the same facts, in the same order.
    #[must_use]
    pub fn again(&self, policy: &mut dyn StopPolicy) -> Vec<Decision> {
        self.lock().iter().map(|(seen, _)| policy.decide(&seen.facts())).collect()
    }

    /// Whether a migration did what was decided: a round for each [`Decision::Continue`], and then the end, with the
    /// reason that was given.
    #[must_use]
    pub fn obeyed_by(&self, report: &SaveReport) -> bool {
        let mut decided = vec![Decision::Continue; report.rounds.len()];
        decided.push(Decision::StopAndCopy(report.stop_reason.clone()));
        self.answers() == decided
    }
}

impl Notes<(Stage, Rate)> {
    /// What this policy answers when it is shown the same facts, in the same order.
    #[must_use]
    pub fn again(&self, policy: &mut dyn BandwidthPolicy) -> Vec<(Stage, Rate)> {
        let ask = |(seen, (stage, _)): &(Seen, (Stage, Rate))| (*stage, policy.rate(*stage, &seen.facts()));
        self.lock().iter().map(ask).collect()
    }

    /// Whether no round of a migration was faster than the highest rate that was set for it.
    #[must_use]
    pub fn obeyed_by(&self, report: &SaveReport) -> bool {
        report.rounds.iter().enumerate().all(|(index, round)| {
            let time = (round.duration + PACED_WITHIN).as_secs_f64();
            self.highest(index).is_some_and(|rate| round.bytes as f64 * BITS <= rate * time)
        })
    }

    /// The highest rate that was set when there were this many rounds, bit/s.
    fn highest(&self, rounds: usize) -> Option<f64> {
        let notes = self.lock();
        let rates =
            notes.iter().filter(|(seen, (stage, _))| *stage == Stage::Round && seen.rounds.len() == rounds);
        let bits_per_second = |(_, (_, rate)): &(Seen, (Stage, Rate))| match rate {
            Rate::Unlimited => f64::INFINITY,
            Rate::BitsPerSecond(rate) => *rate,
        };
        rates.map(bits_per_second).reduce(f64::max)
    }
}

impl From<&Facts<'_>> for Seen {
    fn from(facts: &Facts<'_>) -> Self {
        let Facts { pages, elapsed, slot, link, fixed_downtime, rounds, growth } = *facts;
        let (rounds, growth) = (rounds.to_vec(), growth.to_vec());
        Self { pages, rounds, elapsed, growth, slot, link, fixed_downtime }
    }
}

impl Seen {
    fn facts(&self) -> Facts<'_> {
        Facts {
            pages: self.pages,
            rounds: &self.rounds,
            elapsed: self.elapsed,
            growth: &self.growth,
            slot: self.slot,
            link: self.link,
            fixed_downtime: self.fixed_downtime,
        }
    }
}
