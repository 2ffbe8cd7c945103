//! The side of the command.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use engine::{Clock, Observer};
use serde::de::DeserializeOwned;

use super::{Failure, Line};

/// The longest line that is read, bytes: a report with some thousand rounds.
const MAX_LINE: u64 = 1 << 20;

/// What the engine did.
#[derive(Clone, Debug)]
pub struct Heard<R> {
    /// Its report, or why there is none; `None` when it said neither.
    pub result: Option<Result<R, Failure>>,
    /// When it started, by our clock: its own times count from there.
    pub began: Duration,
}

/// Passes on what happens until the other side ends.
pub fn listen<R: DeserializeOwned>(
    front: UnixStream,
    observer: &mut dyn Observer,
    clock: &dyn Clock,
) -> Heard<R> {
    let mut heard = Heard { result: None, began: clock.now() };
    let mut begun = false;
    let mut front = BufReader::new(front);
    while let Some(line) = next(&mut front) {
        line.event(|at, event| {
            if !begun {
                (begun, heard.began) = (true, clock.now().saturating_sub(at));
            }
            observer.event(at, event);
        });
        match line {
            Line::Done { report } => heard.result = serde_json::from_value(report).ok().map(Ok),
            Line::Failed { reason, gave_up } => heard.result = Some(Err(Failure { reason, gave_up })),
            _ => {}
        }
    }
    heard
}

/// `None` at the end, and when what comes is no line of ours.
fn next(front: &mut BufReader<UnixStream>) -> Option<Line> {
    let mut text = String::new();
    front.take(MAX_LINE).read_line(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
