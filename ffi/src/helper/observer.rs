//! The engine's events as libxl's progress and log messages.

use std::time::Duration;

use engine::{Event, Observer, Phase};

use super::{Channel, Level};

/// How often one pass may report: each message wakes libxl's event loop.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Tells libxl what happens, in the stock helper's words where it has some.
#[derive(Debug)]
pub(super) struct LibxlObserver<'a> {
    channel: &'a Channel,
    pass: String,
    reported: Option<Duration>,
}

impl<'a> LibxlObserver<'a> {
    pub(super) fn new(channel: &'a Channel) -> Self {
        Self { channel, pass: String::new(), reported: None }
    }

    fn phase(&mut self, phase: Phase) {
        match phase {
            Phase::Open => self.happened("Start of stream"),
            // The stock helper counts from 0.
            Phase::Round(number) => self.begin(format!("Frames iteration {}", number.saturating_sub(1))),
            Phase::StopAndCopy => self.begin("Frames".into()),
            Phase::Verify => self.begin("Frames verify".into()),
            Phase::Close => self.happened("End of stream"),
            Phase::State | Phase::Watch | Phase::Receive | Phase::Complete => {}
        }
    }

    fn happened(&self, what: &str) {
        self.channel.progress(what, 0, 0);
    }

    fn begin(&mut self, pass: String) {
        (self.pass, self.reported) = (pass, None);
    }

    fn pages(&mut self, at: Duration, handled: u64, planned: u64) {
        // A restore does not know how many there will be, and the stock helper does not report either.
        let is_due = self.reported.is_none_or(|last| at >= last + PROGRESS_EVERY);
        if planned > 0 && is_due {
            self.reported = Some(at);
            self.channel.progress(&self.pass, handled, planned);
        }
    }
}

impl Observer for LibxlObserver<'_> {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase) => self.phase(phase),
            Event::Pages { handled, planned } => self.pages(at, handled, planned),
            Event::Suspended => self.happened("Domain now suspended"),
            Event::Round(round) => self.channel.log(
                Level::Detail,
                &format!(
                    "Round {}: {} pages sent, {} skipped, {} bytes in {:.3} s, {} pages dirty",
                    round.number,
                    round.sent,
                    round.skipped,
                    round.bytes,
                    round.duration.as_secs_f64(),
                    round.dirty
                ),
            ),
            Event::Stop(why) => self.channel.log(Level::Detail, &format!("Pre-copy ends: {why}")),
            Event::Changed { pages } => self.channel.log(
                Level::Info,
                &format!("{pages} pages not compared: others wrote to them while the guest was suspended"),
            ),
            Event::Skipped { record_type } => {
                self.channel.log(Level::Warn, &format!("Unknown optional record {record_type:#x} left out"));
            }
        }
    }
}
