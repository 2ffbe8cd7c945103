//! `--metrics FILE`: figures for Prometheus' textfile collector.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Event, Observer};

use crate::exit::Exit;
use crate::progress::Measure;

/// How often the file is renewed.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps the file up to date while a guest moves.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    domain: String,
    measure: Measure,
    written: Duration,
}

impl Metrics {
    /// For a guest that begins to move.
    #[must_use]
    pub fn new(path: PathBuf, domain: String, measure: Measure) -> Self {
        Self { path, domain, measure, written: Duration::ZERO }
    }
}

impl Observer for Metrics {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        self.measure.event(at, event);
        let due = matches!(event, Event::Round(_) | Event::Suspended) || at >= self.written + EVERY;
        if due {
            self.written = at;
            // The figures are for others: a full disk there does not end a migration here.
            if let Err(error) = write_atomically(&self.path, &running(&self.domain, &self.measure)) {
                tracing::warn!("cannot write {}: {error}", self.path.display());
            }
        }
    }
}

/// What is known at the end. Times are seconds; what never happened is left out.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How the command ended.
    pub exit: Exit,
    /// Bytes that went over the link.
    pub bytes: u64,
    /// From the start to the end.
    pub total: Option<Duration>,
    /// How long the guest stood still.
    pub downtime: Option<Duration>,
}

/// Writes the last state of the file.
///
/// # Errors
/// When the file cannot be written; what was there stays.
pub fn write_end(path: &Path, domain: &str, ended: &Ended) -> io::Result<()> {
    let mut text = Text::new(domain);
    text.gauge("active", "Whether the guest moves now.", Some(0.0));
    text.gauge("exit_code", "How the last migration ended.", Some(f64::from(ended.exit as u8)));
    text.gauge("sent_bytes", "Bytes of the last migration.", Some(ended.bytes as f64));
    text.gauge("duration_seconds", "Total time of the last migration.", ended.total.map(|t| t.as_secs_f64()));
    text.gauge(
        "downtime_seconds",
        "Downtime of the last migration.",
        ended.downtime.map(|t| t.as_secs_f64()),
    );
    write_atomically(path, &text.text)
}

fn running(domain: &str, measure: &Measure) -> String {
    let mut text = Text::new(domain);
    text.gauge("active", "Whether the guest moves now.", Some(1.0));
    text.gauge("round", "The round of the pre-copy.", Some(f64::from(measure.round)));
    text.gauge("pass_pages", "Pages of this pass.", Some(measure.planned as f64));
    text.gauge("pass_pages_handled", "Pages of this pass that were handled.", Some(measure.handled as f64));
    text.gauge("rate_bytes_per_second", "How fast memory goes over.", measure.rate);
    text.gauge("dirty_bytes_per_second", "How fast the guest dirties memory.", measure.dirty_rate);
    text.gauge("estimated_downtime_seconds", "Downtime if suspended now.", measure.estimated_downtime);
    text.gauge("elapsed_seconds", "Time since the start.", Some(measure.elapsed));
    text.text
}

/// The text format of Prometheus, version 0.0.4.
struct Text {
    label: String,
    text: String,
}

impl Text {
    fn new(domain: &str) -> Self {
        let label = domain.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        Self { label, text: String::new() }
    }

    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        let label = &self.label;
        // Writing to a String does not fail.
        let _ = writeln!(
            self.text,
            "# HELP xc_migrate_{name} {help}\n# TYPE xc_migrate_{name} gauge\nxc_migrate_{name}{{domain=\"{label}\"}} {value}"
        );
    }
}

/// A reader sees the old file or the new one, never half of one.
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let renamed = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
    if renamed.is_err() {
        // It may never have been there.
        let _ = fs::remove_file(&part);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_the_format() {
        let mut text = Text::new("a\"b\\c\nd");
        text.gauge("active", "Whether.", Some(1.0));
        assert_eq!(text.text.lines().last(), Some(r#"xc_migrate_active{domain="a\"b\\c\nd"} 1"#));
    }
}
