//! Xen domains. They are libxl's, so stock `xl` saves and migrates them, with our save helper in it; what the helper
//! does is heard over [`remote`](crate::remote).
//!
//! `xl save` writes to a file of which we say when it is complete; `xl migrate` has us for its transport, so that the
//! hand-over is the one that guest processes have, and no moment of it is guessed. Where the domain is in the end is
//! asked, never concluded.

#[cfg(feature = "xen")]
mod bare;
#[cfg(not(feature = "xen"))]
#[path = "no_bare.rs"]
mod bare;
mod domain;
mod helper;
mod migrate;
mod resume;
mod save;

use std::ffi::OsString;
use std::thread;

use engine::{Abort, SaveReport};
use ffi::xl::{Ends, Process, State};
use sim::Recording;

use crate::Error;
use crate::domain_name::XenName;
use crate::forecast::Watching;
use crate::job::Job;
use crate::remote::{LIVE, listen};
use crate::run::Run;
use crate::settings::Settings;

pub use domain::Attached;
pub(crate) use helper::without;
pub use helper::{NoHelper, xl};
pub(crate) use resume::resume;

/// Moves a domain; returns where it is then.
pub(crate) fn move_away(run: &mut Run<'_>, name: &XenName) -> Result<String, Error> {
    let domain = Attached::find(name, &run.job.settings)?;
    tracing::info!("{name} is domain {}", domain.id());
    run.domain = Some(domain.clone());
    run.register = run.enter();
    let link = run.connect()?;
    run.limit();
    if run.job.bare {
        return bare::save(run, &domain, link);
    }
    if link.is_duplex() { migrate::migrate(run, &domain, link) } else { save::save(run, &domain, link) }
}

/// Records what a domain writes, while it runs on.
pub(crate) fn watch(
    name: &XenName,
    settings: &Settings,
    how: Watching,
    abort: &Abort,
) -> Result<Recording, Error> {
    let domain = Attached::any(name, without(&settings.xl))?;
    match domain.found.state {
        State::Runs => bare::watch(domain.found.id, how, abort),
        state => Err(Error::NotRunning(name.to_string(), state)),
    }
}

/// What `xl` and its helper need to know of the job, beside its letters.
fn environment(job: &Job) -> Vec<(String, String)> {
    let live = (LIVE.to_owned(), u8::from(job.live).to_string());
    [job.settings.for_helper.clone(), vec![live]].concat()
}

/// A subcommand, with the letter that `xl save` and `xl migrate` share.
fn subcommand(job: &Job, verb: &str) -> Vec<OsString> {
    let mut args = vec![verb.into()];
    if job.preserve_domid {
        args.push("-D".into());
    }
    args
}

/// Runs `xl` to its end while its helper is heard, and `work` beside it; an abort makes the helper give up.
///
/// `work` says whether it brought the domain away. Where it did not, what the helper says is the reason, and else what
/// `xl` says.
fn attended(
    run: &mut Run<'_>,
    domain: &Attached,
    args: &[OsString],
    ends: Ends,
    work: impl FnOnce(&mut Run<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut xl = Process::start(&domain.xl, args, &environment(run.job), ends)?;
    let front = xl.front().map_err(Error::Front)?;
    let (mut audience, clock) = (run.audience(), run.clock);
    let (away, ended, heard) = thread::scope(|scope| {
        let listener = scope.spawn(move || listen::<SaveReport>(front, &mut audience, &clock));
        let away = work(run);
        let gives_up = away.is_err();
        let ended = xl.wait(|xl| {
            if gives_up || run.abort.reason().is_some() {
                xl.hang_up();
            }
        });
        (away, ended, listener.join())
    });
    let heard = heard.map_err(|_| Error::Front(std::io::ErrorKind::Other.into()))?;
    run.began = heard.began;
    if away? {
        run.report = heard.result.and_then(Result::ok);
        return Ok(true);
    }
    match (heard.result, ended) {
        (Some(Err(failure)), _) => Err(run.heard(failure.into())),
        (_, Err(error)) => Err(run.heard(error.into())),
        (report, Ok(())) => {
            run.report = report.and_then(Result::ok);
            Ok(false)
        }
    }
}
