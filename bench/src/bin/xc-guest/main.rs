//! `xc-guest`: runs guest processes of this machine, and looks after them.

mod args;
mod output;

use std::process::ExitCode;
use std::time::Duration;

use args::{Args, Command, Format, RunArgs};
use bench::{Error, guest};
use clap::Parser;
use ffi::host::protocol::{GuestInfo, Request};
use ffi::host::{Host, HostError, names};

/// How often `balloon --wait` looks.
const LOOK: Duration = Duration::from_millis(20);
/// Exit code: no guest has that name.
const NO_SUCH_GUEST: u8 = 3;

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            output::error(&e.chain());
            match e {
                Error::Host(HostError::NotRunning { .. }) => NO_SUCH_GUEST.into(),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let host = Host::from_env();
    match command {
        Command::Run(args) => start(&host, args)?,
        Command::List { json } => output::list(&infos(&host)?, Format::of(json)),
        Command::Info { name, json } => output::info(&host.info(&name)?, Format::of(json)),
        Command::Hash { name } => output::hash(&host.hash(&name)?),
        Command::Balloon { name, size, wait } => balloon(&host, &name, size, wait)?,
        Command::Stop { name } => host.order(&name, &Request::Stop)?,
        Command::Pause { name } => host.order(&name, &Request::Pause)?,
        Command::Resume { name } => resume(&host, &name)?,
        Command::Adopt => guest::adopt()?,
    }
    Ok(())
}

fn start(host: &Host, args: RunArgs) -> Result<(), Error> {
    let (paused, foreground) = (args.paused, args.foreground);
    let config = args.into_config();
    let name = config.name.clone();
    if foreground {
        return guest::run_here(config, paused, || output::runs(&name));
    }
    host.run(&config, paused)?;
    output::runs(&name);
    Ok(())
}

/// All guests that still answer.
fn infos(host: &Host) -> Result<Vec<GuestInfo>, Error> {
    let mut infos = Vec::new();
    for name in host.list()? {
        match host.info(&name) {
            Ok(info) => infos.push(info),
            // It ended between the list and the question.
            Err(HostError::NotRunning { .. }) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(infos)
}

fn balloon(host: &Host, name: &str, pages: u64, wait: bool) -> Result<(), Error> {
    host.order(name, &Request::Balloon { pages })?;
    while wait && host.info(name)?.populated != pages {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Resumes a guest; one that was given away is also found by the name it had.
fn resume(host: &Host, name: &str) -> Result<(), Error> {
    let away = names::migrated_away(name);
    let name = if !host.is_running(name) && host.is_running(&away) { &away } else { name };
    Ok(host.order(name, &Request::Resume)?)
}
