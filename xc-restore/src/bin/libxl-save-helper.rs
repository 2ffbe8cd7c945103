//! The save helper that libxl starts for `xl save`, `xl restore` and `xl migrate`, with this project's engine.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use engine::BoxError;
use ffi::helper::{
    self, Invocation, RestoreArgs, RestoreResults, RestoreWorld, RingPort, SaveArgs, SaveWorld, Session,
    Statistics, USAGE, chain, exec_stock,
};
use ffi::xen::{Backend, Guard, TargetSettings, XenSource, XenTarget, XenTracker, stand_guard};
use serde::Serialize;
use xc_save::settings::{Settings, Values};
use xc_save::stats::write_json;
use xc_save::{abort_on_timeout, save_options};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Invocation::parse(&args) {
        Ok(Invocation::Save(args)) => save(&args),
        Ok(Invocation::Restore(args)) => helper::restore(&args, |session| open_target(&args, session)),
        Ok(Invocation::Guard(domid)) => return guard(domid),
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

fn save(args: &SaveArgs) -> Result<(), helper::Error> {
    // Beyond the session: libxl hears of the end first, and the guard after it.
    let mut guard = None;
    helper::save(args, |session| {
        if args.live {
            guard = Some(Guard::start(args.domid)?);
        }
        open_source(args, session)
    })
}

fn guard(domid: u32) -> ExitCode {
    match stand_guard(domid) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn open_source(args: &SaveArgs, session: &Session) -> Result<SaveWorld<XenSource, XenTracker>, BoxError> {
    let settings = settings()?;
    let domain = XenSource::open(args.domid, settings.map.parse()?)?;
    let tracker = domain.tracker()?;
    abort_on_timeout(&settings, &session.abort);
    let options = save_options(&settings);
    Ok(SaveWorld { domain, tracker, options, statistics: statistics(settings.report.stats) })
}

fn open_target(args: &RestoreArgs, _: &Session) -> Result<RestoreWorld<XenTarget>, BoxError> {
    let rings = TargetSettings { store: backend(args.store)?, console: backend(args.console)? };
    let target = XenTarget::open(args.domid, rings)?;
    Ok(RestoreWorld { target, results, statistics: statistics(settings()?.report.stats) })
}

/// libxl passes no options on, so they are in the file and the environment alone.
fn settings() -> Result<Settings, BoxError> {
    Ok(Settings::from(&Values::load(Vec::new())?))
}

fn backend(ring: RingPort) -> Result<Backend, BoxError> {
    Ok(Backend { domid: u16::try_from(ring.domid)?, port: ring.port })
}

fn results(target: &XenTarget) -> RestoreResults {
    let rings = target.rings();
    RestoreResults { store_gfn: rings.store, console_gfn: rings.console }
}

fn statistics<R: Serialize + 'static>(file: Option<PathBuf>) -> Statistics<R> {
    Box::new(|report| Ok(file.map_or(Ok(()), |path| write_json(&path, report))?))
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
