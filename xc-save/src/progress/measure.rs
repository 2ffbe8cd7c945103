//! What can be said of a run while it runs: rates, and the estimates that follow from them.

use std::time::Duration;

use engine::{Event, PAGE_SIZE, Phase};
use policy::Round;
use serde::{Deserialize, Serialize};

/// The figures of a running save or restore. Rates are bytes/s of guest memory, times are seconds from the start;
/// what is not known yet is null.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measure {
    /// What runs; programs get its word from whoever passes the figures on.
    #[serde(skip, default = "first_phase")]
    pub phase: Phase,
    /// The round; 0 outside of the pre-copy.
    pub round: u32,
    /// Pages of this pass that were handled.
    pub handled: u64,
    /// Of how many; 0 where nobody knows.
    pub planned: u64,
    /// How fast the guest's memory goes over, in this pass.
    pub rate: Option<f64>,
    /// How fast the guest dirtied memory in the last round.
    pub dirty_rate: Option<f64>,
    /// How long the guest would stand still if it were suspended now.
    pub estimated_downtime: Option<f64>,
    /// How long the rest of this pass takes.
    pub eta: Option<f64>,
    /// Since the start.
    pub elapsed: f64,
    #[serde(skip)]
    pass_began: Duration,
    /// bit/s, if the user says so.
    #[serde(skip)]
    link_rate: Option<f64>,
}

impl Default for Measure {
    fn default() -> Self {
        Self::new(None)
    }
}

fn first_phase() -> Phase {
    Phase::Open
}

/// A pass begins by filling what lies between the guest and the link; before this time, seconds, its rate says nothing.
const SETTLED: f64 = 0.2;
/// Bits in a byte.
const BITS: f64 = 8.0;

impl Measure {
    /// Nothing has happened yet. `link_rate`, bit/s, is used for estimates instead of the measured rate.
    #[must_use]
    pub fn new(link_rate: Option<f64>) -> Self {
        Self {
            phase: first_phase(),
            round: 0,
            handled: 0,
            planned: 0,
            rate: None,
            dirty_rate: None,
            estimated_downtime: None,
            eta: None,
            elapsed: 0.0,
            pass_began: Duration::ZERO,
            link_rate,
        }
    }

    /// Takes an event in.
    pub fn event(&mut self, at: Duration, event: Event<'_>) {
        self.elapsed = at.as_secs_f64();
        match event {
            Event::Phase(phase) => self.begin(at, phase),
            Event::Pages { handled, planned } => self.pages(at, handled, planned),
            Event::Round(round) => self.round(round),
            _ => {}
        }
    }

    fn begin(&mut self, at: Duration, phase: Phase) {
        self.phase = phase;
        self.round = if let Phase::Round(number) = phase { number } else { 0 };
        self.pass_began = at;
        (self.handled, self.planned, self.rate, self.eta) = (0, 0, None, None);
    }

    fn pages(&mut self, at: Duration, handled: u64, planned: u64) {
        (self.handled, self.planned) = (handled, planned);
        let seconds = at.saturating_sub(self.pass_began).as_secs_f64();
        if seconds >= SETTLED && handled > 0 {
            let rate = bytes(handled) / seconds;
            self.rate = Some(rate);
            self.eta = (planned > 0).then(|| bytes(planned.saturating_sub(handled)) / rate);
        }
    }

    fn round(&mut self, round: &Round) {
        let seconds = round.duration.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.dirty_rate = Some(bytes(round.dirty) / seconds);
        let measured = (round.bytes > 0).then(|| round.bytes as f64 / seconds);
        let rate = self.link_rate.map(|bits| bits / BITS).or(measured);
        self.estimated_downtime = rate.map(|rate| bytes(round.dirty) / rate);
    }
}

fn bytes(pages: u64) -> f64 {
    pages as f64 * PAGE_SIZE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_estimates_follow_from_the_events() {
        let mut measure = Measure::default();
        let second = Duration::from_secs(1);
        measure.event(second, Event::Phase(Phase::Round(1)));
        measure.event(second * 3, Event::Pages { handled: 200, planned: 300 });
        assert_eq!(measure.rate, Some(100.0 * 4096.0));
        assert_eq!(measure.eta, Some(1.0));
        let round = Round {
            number: 1,
            planned: 300,
            sent: 300,
            skipped: 0,
            bytes: 300 * 4096,
            duration: second * 3,
            dirty: 50,
        };
        measure.event(second * 4, Event::Round(&round));
        assert_eq!(measure.estimated_downtime, Some(0.5));
        assert_eq!(measure.dirty_rate, Some(50.0 * 4096.0 / 3.0));
        let mut told = Measure::new(Some(8.0 * 50.0 * 4096.0));
        told.event(second, Event::Round(&round));
        assert_eq!(told.estimated_downtime, Some(1.0));
    }
}
