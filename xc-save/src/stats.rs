//! `--stats FILE`: what happened, as JSON, whether it went well or not. The layout is docs/stats.schema.json.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use engine::SaveReport;
use serde::Serialize;

use crate::exit::Exit;
use crate::job::Job;

/// The version of the statistics' layout; it grows when a field changes its meaning or goes away.
pub const LAYOUT: u32 = 1;

/// How a command ended, the same for both sides.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The exit code.
    pub exit: Exit,
    /// Why it failed, with all causes.
    pub error: Option<String>,
    /// Where the guest is now.
    pub place: String,
}

/// The statistics of one save.
#[derive(Debug, Serialize)]
struct Stats<'a> {
    layout: u32,
    command: &'static str,
    version: &'static str,
    domain: String,
    link: String,
    exit: u8,
    error: Option<&'a str>,
    place: &'a str,
    /// What the engine did; null when it did not get to the end.
    save: Option<&'a SaveReport>,
    /// When the target said that the guest runs, seconds from the start of the save; null when nobody said so.
    running: Option<f64>,
    /// From the guest's stop until the target said that it runs, seconds.
    downtime: Option<f64>,
}

/// From the guest's stop until the target said that it runs.
pub(crate) fn downtime(save: Option<&SaveReport>, running: Option<Duration>) -> Option<Duration> {
    Some(running?.saturating_sub(save?.downtime.stopped))
}

/// Writes the statistics.
pub(crate) fn write(
    path: &Path,
    job: &Job,
    ending: &Ending,
    save: Option<&SaveReport>,
    running: Option<Duration>,
) -> io::Result<()> {
    let stats = Stats {
        layout: LAYOUT,
        command: job.command,
        version: env!("CARGO_PKG_VERSION"),
        domain: job.domain.to_string(),
        link: job.to.to_string(),
        exit: ending.exit as u8,
        error: ending.error.as_deref(),
        place: &ending.place,
        save,
        running: running.map(|at| at.as_secs_f64()),
        downtime: downtime(save, running).map(|time| time.as_secs_f64()),
    };
    write_json(path, &stats)
}

/// Writes a value to a file as JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    fs::write(path, text)
}
