//! `--stats FILE`: what happened, as JSON, whether it went well or not. The layout is docs/stats.schema.json.

use std::io;
use std::path::Path;

use engine::RestoreReport;
use serde::Serialize;
use xc_save::stats::{Ending, LAYOUT, write_json};

use crate::job::{Job, Origin};

/// The statistics of one restore.
#[derive(Debug, Serialize)]
struct Stats<'a> {
    layout: u32,
    command: &'static str,
    version: &'static str,
    /// Empty when it failed before the guest had a name.
    domain: &'a str,
    link: String,
    exit: u8,
    error: Option<&'a str>,
    place: &'a str,
    /// What the engine did; null when it did not get to the end.
    restore: Option<&'a RestoreReport>,
    /// The digest of the memory received, if it was asked for.
    digest: Option<String>,
}

/// Writes the statistics.
pub(crate) fn write(
    path: &Path,
    job: &Job,
    domain: &str,
    ending: &Ending,
    restore: Option<&RestoreReport>,
) -> io::Result<()> {
    let stats = Stats {
        layout: LAYOUT,
        command: match job.from {
            Origin::Link(_) => "xc-restore",
            Origin::Migration => "xc-migrate-receive",
        },
        version: env!("CARGO_PKG_VERSION"),
        domain,
        link: job.from.to_string(),
        exit: ending.exit as u8,
        error: ending.error.as_deref(),
        place: &ending.place,
        restore,
        digest: restore.and_then(|report| report.digest).map(|digest| format!("{digest:032x}")),
    };
    write_json(path, &stats)
}
