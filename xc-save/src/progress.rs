//! Showing how a save or a restore gets on.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::ValueEnum;
use engine::{Event, Observer, PAGE_SIZE, Phase};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use policy::Round;

use crate::console::say;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// One line a round.
    Plain,
    /// Nothing.
    None,
}

/// How often a bar is drawn, times a second.
const FRAMES: u8 = 10;
/// A pass of known length.
const BAR: &str = "{prefix:<14} [{bar:32}] {percent:>3}% {msg}";
/// A pass of unknown length.
const COUNTER: &str = "{prefix:<14} {spinner} {msg}";
/// Bytes in a MiB, for people.
const MIB: f64 = (1 << 20) as f64;

/// Shows progress on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
    /// When the running pass began, and how many pages were handled before it.
    pass: Duration,
}

impl Progress {
    /// Shows it in this style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let terminal = style == Style::Auto && io::stderr().is_terminal();
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(FRAMES) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar, lines: style != Style::None, pass: Duration::ZERO }
    }

    fn line(&self, line: impl std::fmt::Display) {
        if self.lines {
            self.bar.suspend(|| say(line));
        }
    }

    fn begin(&mut self, at: Duration, phase: Phase) {
        self.pass = at;
        self.bar.reset();
        self.bar.set_prefix(title(phase));
        self.bar.set_message("");
    }

    fn pages(&self, at: Duration, handled: u64, planned: u64) {
        let template = if planned == 0 { COUNTER } else { BAR };
        if self.bar.length() != Some(planned) {
            self.bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            self.bar.set_length(planned);
        }
        self.bar.set_position(handled);
        let seconds = (at - self.pass).as_secs_f64().max(f64::EPSILON);
        let rate = handled as f64 * PAGE_SIZE as f64 / MIB / seconds;
        self.bar.set_message(format!("{handled} pages, {rate:.0} MiB/s"));
    }
}

impl Observer for Progress {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase) => self.begin(at, phase),
            Event::Pages { handled, planned } => self.pages(at, handled, planned),
            Event::Round(round) => self.line(round_line(round)),
            Event::Stop(reason) => self.line(format_args!("stop and copy: {reason}")),
            Event::Suspended => {
                self.line(format_args!("the guest is suspended, {:.3} s after the start", at.as_secs_f64()))
            }
            Event::Skipped { record_type } => {
                self.line(format_args!("left out an optional record of unknown type {record_type:#x}"));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn title(phase: Phase) -> String {
    match phase {
        Phase::Open => "opening".into(),
        Phase::Round(number) => format!("round {number}"),
        Phase::StopAndCopy => "stop and copy".into(),
        Phase::Verify => "verifying".into(),
        Phase::State | Phase::Close => "state".into(),
        Phase::Receive => "receiving".into(),
        Phase::Complete => "completing".into(),
    }
}

fn round_line(round: &Round) -> String {
    let seconds = round.duration.as_secs_f64();
    let mebibytes = round.bytes as f64 / MIB;
    format!(
        "round {}: {} pages sent, {} skipped, {mebibytes:.1} MiB in {seconds:.3} s ({:.0} MiB/s), {} pages dirty",
        round.number,
        round.sent,
        round.skipped,
        mebibytes / seconds.max(f64::EPSILON),
        round.dirty,
    )
}
