//! Progress as lines of text.

use std::time::Duration;

use engine::{Event, Observer, Phase};
use policy::Round;

use crate::console::say;

/// Bytes in a MiB, for people.
pub(super) const MIB: f64 = (1 << 20) as f64;

/// One line a round on standard error.
#[derive(Debug)]
pub(super) struct Lines;

impl Observer for Lines {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        if let Some(line) = line(at, event) {
            say(line);
        }
    }
}

/// What is worth a line.
pub(super) fn line(at: Duration, event: Event<'_>) -> Option<String> {
    match event {
        Event::Phase(_) | Event::Pages { .. } => None,
        Event::Round(round) => Some(round_line(round)),
        Event::Stop(reason) => Some(format!("stop and copy: {reason}")),
        Event::Suspended => {
            Some(format!("the guest is suspended, {:.3} s after the start", at.as_secs_f64()))
        }
        Event::Changed { pages } => {
            Some(format!("{pages} pages not compared: others wrote to them while the guest was suspended"))
        }
        Event::Skipped { record_type } => {
            Some(format!("left out an optional record of unknown type {record_type:#x}"))
        }
    }
}

fn round_line(round: &Round) -> String {
    let seconds = round.duration.as_secs_f64();
    let rate = round.bytes as f64 / MIB / seconds.max(f64::EPSILON);
    let Round { number, sent, skipped, dirty, .. } = round;
    format!(
        "round {number}: sent {sent}, skipped {skipped}, dirty {dirty} pages; {seconds:.3} s, {rate:.0} MiB/s"
    )
}

/// A phase as people see it.
pub(super) fn title(phase: Phase) -> String {
    match phase {
        Phase::Open => "opening".into(),
        Phase::Round(number) => format!("round {number}"),
        Phase::StopAndCopy => "stop and copy".into(),
        Phase::Verify => "verifying".into(),
        Phase::State | Phase::Close => "state".into(),
        Phase::Watch => "watching".into(),
        Phase::Receive => "receiving".into(),
        Phase::Complete => "completing".into(),
    }
}
