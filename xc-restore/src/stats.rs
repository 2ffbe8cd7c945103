//! `--stats FILE`: what happened, as JSON.

use engine::RestoreReport;
use serde::Serialize;
use xc_save::exit::Exit;
use xc_save::write_json;

use crate::Error;
use crate::cli::Args;

/// The version of the statistics' layout; it grows when a field changes its meaning or goes away.
const LAYOUT: u32 = 1;

/// The statistics of one `xc-restore`.
#[derive(Debug, Serialize)]
struct Stats<'a> {
    layout: u32,
    command: &'static str,
    domain: String,
    link: String,
    exit: u8,
    /// What the engine did.
    restore: &'a RestoreReport,
    /// The digest of the memory received, if it was asked for.
    digest: Option<String>,
}

/// Writes the statistics that were asked for.
pub(crate) fn write(args: &Args, name: &str, report: &RestoreReport) -> Result<(), Error> {
    let Some(path) = &args.stats else { return Ok(()) };
    let stats = Stats {
        layout: LAYOUT,
        command: "xc-restore",
        domain: format!("host:{name}"),
        link: args.link.to_string(),
        exit: Exit::Done as u8,
        restore: report,
        digest: report.digest.map(|digest| format!("{digest:032x}")),
    };
    write_json(path, &stats).map_err(Error::Stats)
}
