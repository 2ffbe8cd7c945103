//! The save helper that libxl starts for `xl save`, `xl restore` and `xl migrate`, with this project's engine.

use std::ffi::OsString;
use std::fs::File;
use std::process::ExitCode;
use std::{env, io};

use engine::{BoxError, SaveOptions};
use ffi::helper::{
    self, Invocation, RestoreArgs, RestoreResults, RestoreWorld, RingPort, SaveArgs, SaveWorld, Session,
    Statistics, USAGE, chain, exec_stock,
};
use ffi::xen::{Backend, TargetSettings, XenSource, XenTarget, XenTracker};
use policy::{bandwidth, stop};
use serde::Serialize;

/// Settings, for libxl passes no options on. The stop policy, as `xc-save --stop`.
const STOP: &str = "XC_MIGRATE_STOP";
/// The bandwidth policy, as `xc-save --bandwidth`.
const BANDWIDTH: &str = "XC_MIGRATE_BANDWIDTH";
/// How to map the guest during a pre-copy: `full` or `batch`.
const MAP: &str = "XC_MIGRATE_MAP";
/// The file for the statistics, as `xc-save --stats`.
const STATS: &str = "XC_MIGRATE_STATS";

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Invocation::parse(&args) {
        Ok(Invocation::Save(args)) => helper::save(&args, |session| open_source(&args, session)),
        Ok(Invocation::Restore(args)) => helper::restore(&args, |session| open_target(&args, session)),
        Ok(Invocation::Stock) => Err(exec_stock(&args)),
        Ok(Invocation::Version) => return say(concat!("libxl-save-helper ", env!("CARGO_PKG_VERSION"))),
        Ok(Invocation::Help) => return say(USAGE.trim_end()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn open_source(args: &SaveArgs, _: &Session) -> Result<SaveWorld<XenSource, XenTracker>, BoxError> {
    let domain = XenSource::open(args.domid, setting(MAP, "full").parse()?)?;
    let tracker = domain.tracker()?;
    let stop = stop::by_name(&setting(STOP, "xen"))?;
    let bandwidth = bandwidth::by_name(&setting(BANDWIDTH, "unlimited"))?;
    Ok(SaveWorld { domain, tracker, options: SaveOptions::live(stop, bandwidth), statistics: statistics() })
}

fn open_target(args: &RestoreArgs, _: &Session) -> Result<RestoreWorld<XenTarget>, BoxError> {
    let settings = TargetSettings { store: backend(args.store)?, console: backend(args.console)? };
    let target = XenTarget::open(args.domid, settings)?;
    Ok(RestoreWorld { target, results, statistics: statistics() })
}

fn backend(ring: RingPort) -> Result<Backend, BoxError> {
    Ok(Backend { domid: u16::try_from(ring.domid)?, port: ring.port })
}

fn results(target: &XenTarget) -> RestoreResults {
    let rings = target.rings();
    RestoreResults { store_gfn: rings.store, console_gfn: rings.console }
}

fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn statistics<R: Serialize + 'static>() -> Statistics<R> {
    Box::new(|report| {
        let Some(path) = env::var_os(STATS) else { return Ok(()) };
        Ok(serde_json::to_writer(io::BufWriter::new(File::create(path)?), report)?)
    })
}

#[expect(clippy::print_stdout, reason = "an answer to a user; libxl never asks for it")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "libxl passes standard error through; standard output is its own")]
fn complain(text: &str) {
    eprintln!("libxl-save-helper: {text}");
}
