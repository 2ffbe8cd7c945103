//! The save helper that libxl starts for `xl save`, `xl restore` and `xl migrate`, with this project's engine.

use std::ffi::OsString;
use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use engine::{BoxError, Event, Observer, SaveOptions};
use ffi::helper::{
    self, Invocation, RestoreArgs, RestoreResults, RestoreWorld, RingPort, SaveArgs, SaveWorld, Session,
    Statistics, USAGE, Witness, chain, exec_stock,
};
use ffi::xen::{Backend, TargetSettings, XenSource, XenTarget, XenTracker};
use policy::{bandwidth, stop};
use serde::Serialize;
use xc_save::exit::Exit;
use xc_save::remote::{LIVE, Teller};

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
        Ok(Invocation::Save(args)) => helper::save(&as_told(args), |session| open_source(&args, session)),
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

/// Live or not as the command that started `xl` wants it: `xl save` knows no live save.
fn as_told(args: SaveArgs) -> SaveArgs {
    let live = env::var(LIVE).map_or(args.live, |live| live == "1");
    SaveArgs { live, ..args }
}

fn open_source(args: &SaveArgs, session: &Session) -> Result<SaveWorld<XenSource, XenTracker>, BoxError> {
    let domain = XenSource::open(args.domid, setting(MAP, "full").parse()?)?;
    let tracker = domain.tracker()?;
    let stop = stop::by_name(&setting(STOP, "xen"))?;
    let bandwidth = bandwidth::by_name(&setting(BANDWIDTH, "unlimited"))?;
    let options = SaveOptions::live(stop, bandwidth);
    Ok(SaveWorld { domain, tracker, options, statistics: statistics(), witness: witness(session)? })
}

fn open_target(args: &RestoreArgs, session: &Session) -> Result<RestoreWorld<XenTarget>, BoxError> {
    let settings = TargetSettings { store: backend(args.store)?, console: backend(args.console)? };
    let target = XenTarget::open(args.domid, settings)?;
    Ok(RestoreWorld { target, results, statistics: statistics(), witness: witness(session)? })
}

/// The command that started `xl`, if it was one of ours.
fn witness<R: Serialize>(session: &Session) -> Result<Option<Box<dyn Witness<R>>>, BoxError> {
    let teller = Teller::from_env(&session.abort)?;
    Ok(teller.map(|teller| Box::new(Front(teller)) as Box<dyn Witness<R>>))
}

struct Front(Teller);

impl Observer for Front {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        self.0.event(at, event);
    }
}

impl<R: Serialize> Witness<R> for Front {
    fn end(&mut self, result: Result<&R, &engine::Error>) {
        match result {
            Ok(report) => self.0.done(report),
            Err(error) => self.0.failed(chain(error), gave_up(error)),
        }
    }
}

fn gave_up(error: &engine::Error) -> bool {
    match error {
        engine::Error::GaveUp { .. } => true,
        engine::Error::Aborted(reason) => Exit::of_abort(reason) == Exit::GaveUp,
        _ => false,
    }
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
        let Some(path) = env::var_os(STATS).filter(|path| !path.is_empty()) else { return Ok(()) };
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
