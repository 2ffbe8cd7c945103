//! The save helper that libxl starts for `xl save`, `xl restore` and `xl migrate`, with this project's engine.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use engine::{BoxError, Event, Observer};
use ffi::helper::{
    self, Invocation, RestoreArgs, RestoreResults, RestoreWorld, RingPort, SaveArgs, SaveWorld, Session,
    Statistics, USAGE, Witness, chain, exec_stock,
};
use ffi::xen::{Backend, Guard, TargetSettings, Xen, XenSource, XenTarget, XenTracker, stand_guard};
use serde::Serialize;
use xc_save::exit::Exit;
use xc_save::remote::{LIVE, Teller};
use xc_save::settings::{Settings, Values};
use xc_save::stats::write_json;
use xc_save::{abort_on_timeout, save_options};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Invocation::parse(&args) {
        Ok(Invocation::Save(args)) => save(&as_told(args)),
        Ok(Invocation::Restore(args)) => helper::restore(&args, |session| open_target(&args, session)),
        Ok(Invocation::Guard(domid)) => return guard(domid),
        Ok(Invocation::Stock) => Err(exec_stock(&args)),
        Ok(Invocation::Check) => return check(),
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

fn check() -> ExitCode {
    match Xen::open().and_then(|xen| xen.version()) {
        Ok((major, minor)) => say(&format!("Xen {major}.{minor}")),
        Err(error) => {
            complain(&chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn open_source(args: &SaveArgs, session: &Session) -> Result<SaveWorld<XenSource, XenTracker>, BoxError> {
    let settings = settings()?;
    let domain = XenSource::open(args.domid, settings.map)?;
    let tracker = domain.tracker()?;
    abort_on_timeout(&settings, &session.abort);
    let options = save_options(&settings)?;
    let statistics = statistics(settings.report.stats);
    Ok(SaveWorld { domain, tracker, options, statistics, witness: witness(session)? })
}

fn open_target(args: &RestoreArgs, session: &Session) -> Result<RestoreWorld<XenTarget>, BoxError> {
    let rings = TargetSettings { store: backend(args.store)?, console: backend(args.console)? };
    let target = XenTarget::open(args.domid, rings)?;
    let statistics = statistics(settings()?.report.stats);
    Ok(RestoreWorld { target, results, statistics, witness: witness(session)? })
}

/// libxl passes no options on, so they are in the file and the environment alone.
fn settings() -> Result<Settings, BoxError> {
    Ok(Settings::from(&Values::load(Vec::new())?))
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
