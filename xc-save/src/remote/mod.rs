//! The engine in another process: libxl starts our save helper, and the command that started `xl` hears what happens
//! there, as if it happened here.
//!
//! They share a socket. The helper writes JSON lines, each of them a `Line`; the command writes nothing. When it
//! closes its end, or dies, the helper gives up and the guest runs on.

mod listener;
mod teller;

use std::time::Duration;

use engine::{Event, Phase};
use policy::Round;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

pub use listener::{Heard, listen};
pub use teller::Teller;

/// Makes the helper save live, or not, whatever libxl says: `1` or `0`. `xl save` knows no live save.
pub const LIVE: &str = "XC_MIGRATE_LIVE";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    Phase {
        at: f64,
        phase: Phase,
    },
    Pages {
        at: f64,
        handled: u64,
        planned: u64,
    },
    Round {
        at: f64,
        number: u32,
        planned: u64,
        sent: u64,
        skipped: u64,
        bytes: u64,
        duration: f64,
        dirty: u64,
    },
    Stop {
        at: f64,
        reason: String,
    },
    Suspended {
        at: f64,
    },
    Changed {
        at: f64,
        pages: u64,
    },
    Skipped {
        at: f64,
        record_type: u32,
    },
    /// It went well; the engine's own report.
    Done {
        report: serde_json::Value,
    },
    /// It did not.
    Failed {
        gave_up: bool,
        reason: String,
    },
}

impl Line {
    fn of(at: Duration, event: Event<'_>) -> Self {
        let at = at.as_secs_f64();
        match event {
            Event::Phase(phase) => Self::Phase { at, phase },
            Event::Pages { handled, planned } => Self::Pages { at, handled, planned },
            Event::Round(round) => {
                let &Round { number, planned, sent, skipped, bytes, duration, dirty } = round;
                Self::Round {
                    at,
                    number,
                    planned,
                    sent,
                    skipped,
                    bytes,
                    duration: duration.as_secs_f64(),
                    dirty,
                }
            }
            Event::Stop(reason) => Self::Stop { at, reason: reason.to_owned() },
            Event::Suspended => Self::Suspended { at },
            Event::Changed { pages } => Self::Changed { at, pages },
            Event::Skipped { record_type } => Self::Skipped { at, record_type },
        }
    }

    /// Calls `hear` with the event that this is, if it is one.
    fn event(&self, mut hear: impl FnMut(Duration, Event<'_>)) {
        let seconds = |time: f64| Duration::try_from_secs_f64(time).unwrap_or_default();
        match *self {
            Self::Phase { at, phase } => hear(seconds(at), Event::Phase(phase)),
            Self::Pages { at, handled, planned } => hear(seconds(at), Event::Pages { handled, planned }),
            Self::Round { at, number, planned, sent, skipped, bytes, duration, dirty } => {
                let duration = seconds(duration);
                let round = Round { number, planned, sent, skipped, bytes, duration, dirty };
                hear(seconds(at), Event::Round(&round));
            }
            Self::Stop { at, ref reason } => hear(seconds(at), Event::Stop(reason)),
            Self::Suspended { at } => hear(seconds(at), Event::Suspended),
            Self::Changed { at, pages } => hear(seconds(at), Event::Changed { pages }),
            Self::Skipped { at, record_type } => hear(seconds(at), Event::Skipped { record_type }),
            Self::Done { .. } | Self::Failed { .. } => {}
        }
    }
}

/// Why the engine in the other process failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// With all causes.
    pub reason: String,
    /// Whether it was the stop policy, or a limit, that gave up.
    pub gave_up: bool,
}

impl Failure {
    /// The exit code for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.gave_up { Exit::GaveUp } else { Exit::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_over_as_it_is() {
        let round = Round {
            number: 3,
            planned: 9,
            sent: 8,
            skipped: 1,
            bytes: 32768,
            duration: Duration::from_millis(250),
            dirty: 7,
        };
        let at = Duration::from_millis(1500);
        for event in [
            Event::Phase(Phase::Round(3)),
            Event::Phase(Phase::StopAndCopy),
            Event::Pages { handled: 1, planned: 2 },
            Event::Round(&round),
            Event::Stop("enough"),
            Event::Suspended,
            Event::Changed { pages: 3 },
            Event::Skipped { record_type: 9 },
        ] {
            let text = serde_json::to_string(&Line::of(at, event)).unwrap();
            let line: Line = serde_json::from_str(&text).unwrap();
            let mut heard = String::new();
            line.event(|at, event| heard = format!("{at:?} {event:?}"));
            assert_eq!(heard, format!("{at:?} {event:?}"), "{text}");
        }
    }
}
