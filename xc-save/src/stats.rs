//! `--stats FILE`: what happened, as JSON.

use std::fs;
use std::path::Path;
use std::time::Duration;

use engine::SaveReport;
use serde::Serialize;

use crate::Error;
use crate::cli::Args;
use crate::exit::Exit;

/// The version of the statistics' layout; it grows when a field changes its meaning or goes away.
const LAYOUT: u32 = 1;

/// The statistics of one `xc-save`.
#[derive(Debug, Serialize)]
struct Stats<'a> {
    layout: u32,
    command: &'static str,
    domain: String,
    link: String,
    exit: u8,
    /// What the engine did.
    save: &'a SaveReport,
    /// When the target said that the guest runs, seconds from the start; null when nobody said so.
    running: Option<f64>,
    /// From the request to suspend until the target said that the guest runs, seconds.
    downtime: Option<f64>,
}

/// Writes the statistics that were asked for.
pub(crate) fn write(args: &Args, save: &SaveReport, running: Option<Duration>) -> Result<(), Error> {
    let Some(path) = &args.stats else { return Ok(()) };
    let stats = Stats {
        layout: LAYOUT,
        command: "xc-save",
        domain: args.domain.to_string(),
        link: args.link.to_string(),
        exit: Exit::Done as u8,
        save,
        running: running.map(|at| at.as_secs_f64()),
        downtime: running.map(|at| at.saturating_sub(save.downtime.asked).as_secs_f64()),
    };
    write_json(path, &stats)
}

/// Writes a value to a file as JSON.
///
/// # Errors
/// [`Error::Stats`] when the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let failed = |cause| Error::Stats(path.into(), cause);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    fs::write(path, text).map_err(failed)
}
