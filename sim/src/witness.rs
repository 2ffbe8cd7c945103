//! What a stop policy was shown and what it decided, on any world.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy::stop::{Decision, StopPolicy};
use policy::{Facts, LinkUse, Round};

/// A stop policy of which every decision is noted.
pub struct Witnessed {
    inner: Box<dyn StopPolicy>,
    notes: Notes,
}

/// The decisions, in order. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

/// The facts of one question, and the answer.
#[derive(Clone, Debug)]
struct Note {
    pages: u64,
    rounds: Vec<Round>,
    elapsed: Duration,
    growth: Vec<u64>,
    slot: Duration,
    link: Option<LinkUse>,
    fixed_downtime: Duration,
    decision: Decision,
}

impl Witnessed {
    /// `inner`, and where its decisions are noted.
    #[must_use]
    pub fn new(inner: Box<dyn StopPolicy>) -> (Self, Notes) {
        let notes = Notes::default();
        (Self { inner, notes: notes.clone() }, notes)
    }
}

impl std::fmt::Debug for Witnessed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witnessed").field(&self.inner.name()).finish()
    }
}

impl StopPolicy for Witnessed {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let decision = self.inner.decide(facts);
        let Facts { pages, elapsed, slot, link, fixed_downtime, .. } = *facts;
        let (rounds, growth) = (facts.rounds.to_vec(), facts.growth.to_vec());
        let noted = decision.clone();
        let note = Note { pages, rounds, elapsed, growth, slot, link, fixed_downtime, decision: noted };
        self.notes.lock().push(note);
        decision
    }
}

impl Notes {
    /// The decisions, in order.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        self.lock().iter().map(|note| note.decision.clone()).collect()
    }

    /// What this policy decides when it is shown the same facts, in the same order.
    #[must_use]
    pub fn again(&self, policy: &mut dyn StopPolicy) -> Vec<Decision> {
        let decide = |note: &Note| {
            policy.decide(&Facts {
                pages: note.pages,
                rounds: &note.rounds,
                elapsed: note.elapsed,
                growth: &note.growth,
                slot: note.slot,
                link: note.link,
                fixed_downtime: note.fixed_downtime,
            })
        };
        self.lock().iter().map(decide).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
