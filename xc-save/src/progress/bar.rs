//! Progress as a bar on a terminal.

use std::fmt::Write;
use std::time::Duration;

use engine::{Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Measure;
use super::text::{MIB, line, title};
use crate::console::say;

/// How often it is drawn, times a second.
const FRAMES: u8 = 10;
/// A pass of known length; with its message it fits a line of 80 columns.
const BAR: &str = "{prefix:<13} [{bar:16}] {percent:>3}% {msg}";
/// A pass of unknown length.
const COUNTER: &str = "{prefix:<13} {spinner} {msg}";

/// A bar for each pass, and a line for each round above it.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    measure: Measure,
}

impl Bar {
    pub(super) fn new(measure: Measure) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(FRAMES);
        Self { bar: ProgressBar::with_draw_target(None, target), measure }
    }

    fn draw(&self) {
        let planned = self.measure.planned;
        if self.bar.length() != Some(planned) {
            let template = if planned == 0 { COUNTER } else { BAR };
            let style = ProgressStyle::with_template(template);
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            self.bar.set_length(planned);
        }
        self.bar.set_position(self.measure.handled);
        self.bar.set_message(message(&self.measure));
    }
}

impl Observer for Bar {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        self.measure.event(at, event);
        match event {
            Event::Phase(phase) => {
                self.bar.reset();
                self.bar.set_prefix(title(phase));
                self.bar.set_message("");
            }
            Event::Pages { .. } => self.draw(),
            other => {
                if let Some(line) = line(at, other) {
                    self.bar.suspend(|| say(line));
                }
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Rates in MiB/s, what is known of them.
fn message(measure: &Measure) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    if let Some(rate) = measure.rate {
        let _ = write!(text, "{:.0} MiB/s", rate / MIB);
    }
    if let Some(rate) = measure.dirty_rate {
        let _ = write!(text, " dirty {:.0}", rate / MIB);
    }
    if let Some(downtime) = measure.estimated_downtime {
        let _ = write!(text, " down {}", short(downtime));
    }
    if let Some(eta) = measure.eta {
        let _ = write!(text, " eta {}", short(eta));
    }
    text
}

/// A time in at most five characters, up to a day.
fn short(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    match seconds {
        s if s < 1.0 => format!("{:.0}ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < MINUTE => format!("{s:.0}s"),
        s if s < HOUR => format!("{:.0}min", s / MINUTE),
        s => format!("{:.0}h", s / HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_line_fits_80_columns() {
        let mut measure = Measure::default();
        measure.rate = Some(9999.0 * MIB);
        measure.dirty_rate = Some(9999.0 * MIB);
        measure.estimated_downtime = Some(0.4444);
        measure.eta = Some(59.0 * 60.0);
        let text = message(&measure);
        let before = "round 1      [================] 100% ".len();
        assert!(before + text.len() <= 80, "{text}");
        assert_eq!(text, "9999 MiB/s dirty 9999 down 444ms eta 59min");
    }
}
