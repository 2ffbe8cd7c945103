//! Progress as JSON lines on standard output, one object an event:
//!
//! ```text
//! {"event":"phase","at":0.01,"phase":"round","round":1}
//! {"event":"pages","at":0.2,"round":1,"handled":1024,"planned":8192,"rate":...,"estimated_downtime":null,...}
//! {"event":"round","at":0.4,"number":1,"planned":...,"sent":...,"skipped":...,"bytes":...,"duration":...,"dirty":...}
//! {"event":"stop","at":0.5,"reason":"..."}
//! {"event":"suspended","at":0.5}
//! {"event":"end","exit":0,"place":"host:web runs on the target tcp://10.0.0.2:7000"}
//! ```

use std::time::Duration;

use engine::{Event, Observer};
use serde_json::{Value, json};

use super::Measure;
use crate::console::data;
use crate::exit::Exit;

/// How often pages are told.
const EVERY: Duration = Duration::from_millis(100);

/// JSON lines.
#[derive(Debug)]
pub(super) struct Lines {
    measure: Measure,
    told: Duration,
}

impl Lines {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, told: Duration::ZERO }
    }
}

impl Observer for Lines {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        self.measure.event(at, event);
        let seconds = at.as_secs_f64();
        match event {
            Event::Phase(phase) => {
                let round = self.measure.round;
                data(json!({"event": "phase", "at": seconds, "phase": phase.word(), "round": round}));
            }
            Event::Pages { .. } if at < self.told + EVERY => {}
            Event::Pages { .. } => {
                self.told = at;
                data(merged(json!({"event": "pages", "at": seconds}), json!(self.measure)));
            }
            Event::Round(round) => data(json!({
                "event": "round",
                "at": seconds,
                "number": round.number,
                "planned": round.planned,
                "sent": round.sent,
                "skipped": round.skipped,
                "bytes": round.bytes,
                "duration": round.duration.as_secs_f64(),
                "dirty": round.dirty,
            })),
            Event::Stop(reason) => data(json!({"event": "stop", "at": seconds, "reason": reason})),
            Event::Suspended => data(json!({"event": "suspended", "at": seconds})),
            Event::Changed { pages } => data(json!({"event": "changed", "at": seconds, "pages": pages})),
            Event::Skipped { record_type } => {
                data(json!({"event": "skipped", "at": seconds, "record_type": record_type}));
            }
        }
    }
}

/// The last line.
pub fn end(exit: Exit, place: &str) {
    data(json!({"event": "end", "exit": exit as u8, "place": place}));
}

fn merged(mut first: Value, second: Value) -> Value {
    if let (Value::Object(into), Value::Object(more)) = (&mut first, second) {
        into.extend(more);
    }
    first
}
