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
    /// When it started, by our clock: its own times count from there. As exact as the event that was heard soonest.
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
            let began = clock.now().saturating_sub(at);
            heard.began = if begun { heard.began.min(began) } else { began };
            begun = true;
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    use engine::{Event, Phase};

    use super::*;

    /// Ten more milliseconds each time that somebody looks, from 1 s on.
    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> Duration {
            Duration::from_millis(1000 + 10 * self.0.fetch_add(1, Ordering::Relaxed))
        }

        fn sleep_until(&self, _: Duration) {}
    }

    #[test]
    fn the_start_is_as_exact_as_the_event_that_was_heard_soonest() {
        let (front, mut back) = UnixStream::pair().unwrap();
        for at_ms in [5, 8, 400, 403] {
            let at = Duration::from_millis(at_ms);
            let line = serde_json::to_string(&Line::of(at, Event::Phase(Phase::Open))).unwrap();
            writeln!(back, "{line}").unwrap();
        }
        drop(back);
        let heard = listen::<()>(front, &mut (), &Ticking(AtomicU64::new(0)));
        // At 1010, 1020, 1030 and 1040 ms.
        assert_eq!(heard.began, Duration::from_millis(630));
    }
}
