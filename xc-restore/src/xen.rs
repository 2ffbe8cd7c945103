//! Xen domains. They are libxl's, so stock `xl` builds them, with our save helper in it: `xl migrate-receive` where the
//! source can be answered, else `xl restore`. Of the stream we have read what says that it is one of a Xen domain; that
//! and the rest are passed on.

use std::ffi::OsString;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use engine::RestoreReport;
use ffi::link::{ReceiveLink, SendLink, forward, send_over};
use ffi::xl::{Ends, Process, Xl};
use serde::Deserialize;
use stream::Input;
use stream::xl::Header;
use stream::xl::handshake::{COMPLETE, PERMISSION, READY, REPORT, STATUS_RUNNING};
use xc_save::envelope::opening;
use xc_save::hand_over::{Dialogue, expect};
use xc_save::remote::listen;
use xc_save::xen::xl;

use crate::Error;
use crate::job::Job;
use crate::run::Run;
use crate::take_over::{NotStarted, take_over};

/// How long `xl` may take for a step that is nothing but a message.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What `xl` reads the file from.
const STANDARD_INPUT: &str = "/proc/self/fd/0";

/// The part of `libxl_domain_config` that tells it from anybody else's configuration.
#[derive(Deserialize)]
struct DomainConfig {
    c_info: CreateInfo,
}

#[derive(Deserialize)]
struct CreateInfo {
    name: String,
}

/// The domain's name, if this is the configuration of a Xen domain.
pub(crate) fn name(config: &[u8]) -> Option<String> {
    serde_json::from_slice::<DomainConfig>(config).ok().map(|config| config.c_info.name)
}

/// Receives a domain of which the configuration was read; returns where it is.
///
/// `xl` is started when the head of libxl's stream is there, too. Where that is missing or wrong, the `xl` of Xen 4.17
/// crashes, and the domain that it had made is left.
pub(crate) fn receive(
    run: &mut Run<'_>,
    config: Vec<u8>,
    name: &str,
    mut input: Input<&mut ReceiveLink>,
) -> Result<String, Error> {
    check(run.job)?;
    run.name = Some(name.to_owned());
    let settings = &run.job.settings;
    let program = xl(&settings.xl, settings.helper.as_deref())?;
    let opening = opening(&Header { config }, &mut input).map_err(Error::Envelope)?;
    attended(run, &program, &opening, input.into_inner())?;
    place(&program, name)
}

/// Runs `xl` to its end while its helper is heard and the stream passed on; an abort makes the helper give up.
///
/// What the two sides say of the hand-over comes first of the reasons for a failure, then that `xl` died, then what the
/// helper says, then what `xl` says.
fn attended(run: &mut Run<'_>, xl: &Xl, opening: &[u8], link: &mut ReceiveLink) -> Result<(), Error> {
    let (their_input, input) = io::pipe().map_err(Error::Front)?;
    let (output, their_output) = io::pipe().map_err(Error::Front)?;
    let ends = Ends { input: Some(their_input.into()), output: Some(their_output.into()), inherited: None };
    let args = args(run.job, link.is_duplex());
    let mut process = Process::start(xl, &args, &run.job.settings.for_helper, ends)?;
    let mut to = send_over(input.into(), output.into(), "xl", &run.abort).map_err(Error::Front)?;
    let front = process.front().map_err(Error::Front)?;
    let (mut audience, clock) = (run.audience(), run.clock);
    let (passed, ended, heard) = thread::scope(|scope| {
        let listener = scope.spawn(move || listen::<RestoreReport>(front, &mut audience, &clock));
        let passed = pass(opening, link, &mut to);
        // `xl` hears the end of the stream.
        drop(to);
        let ended = process.wait(|process| {
            if run.abort.reason().is_some() {
                process.hang_up();
            }
        });
        (passed, ended, listener.join())
    });
    let heard = heard.map_err(|_| Error::Front(io::ErrorKind::Other.into()))?;
    match (passed, heard.result, ended) {
        (Err(error @ Error::TakeOver(_)), ..) => Err(error),
        (_, _, Err(error)) if error.is_death() => Err(error.into()),
        (_, Some(Err(failure)), _) => Err(failure.into()),
        (Err(error), ..) => Err(error),
        (_, _, Err(error)) => Err(error.into()),
        (Ok(()), report, Ok(())) => {
            run.report = report.and_then(Result::ok);
            Ok(())
        }
    }
}

/// xl's own letters and places.
fn args(job: &Job, answers: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![if answers { "migrate-receive" } else { "restore" }.into()];
    for (letter, given) in [("-p", job.paused), ("-e", job.no_wait), ("-d", job.debug)] {
        if given {
            args.push(letter.into());
        }
    }
    if !answers {
        args.extend(job.config.as_ref().map(Into::into));
        args.push(STANDARD_INPUT.into());
    }
    args
}

/// Passes the stream on to `xl`, and the dialogue of the hand-over.
fn pass(opening: &[u8], link: &mut ReceiveLink, to: &mut SendLink) -> Result<(), Error> {
    if !link.is_duplex() {
        to.tell(opening).and_then(|()| forward(link, to)).map_err(Error::Front)?;
        return Ok(());
    }
    expect(to, READY, ANSWER_WITHIN).map_err(Error::Front)?;
    to.tell(opening).map_err(Error::Front)?;
    if !forward(link, to).map_err(Error::Front)? {
        return Err(Error::Ended);
    }
    expect(to, COMPLETE, ANSWER_WITHIN).map_err(Error::Front)?;
    Ok(take_over(link, || start(to))?)
}

/// The domain is ours: `xl` lets it run. Where it cannot, it destroys it, and says so.
fn start(to: &mut SendLink) -> Result<(), NotStarted> {
    to.ignore_abort();
    match permitted(to) {
        Ok(STATUS_RUNNING) => Ok(()),
        Ok(status) => Err(NotStarted::Discarded(format!("xl could not (status {status})").into())),
        Err(error) => Err(NotStarted::Unknown(error.into())),
    }
}

fn permitted(to: &mut SendLink) -> io::Result<u8> {
    to.tell(PERMISSION)?;
    expect(to, REPORT, ANSWER_WITHIN)?;
    let mut status = [0];
    to.hear(&mut status, Instant::now() + ANSWER_WITHIN)?;
    if status[0] != STATUS_RUNNING {
        // It comes when the domain is destroyed.
        expect(to, PERMISSION, ANSWER_WITHIN)?;
    }
    Ok(status[0])
}

/// Where the domain is now.
fn place(xl: &Xl, name: &str) -> Result<String, Error> {
    Ok(match xl.find(name)? {
        Some(domain) => format!("{name} {} here, domain {}", domain.state, domain.id),
        None => format!("{name} was restored here, and has ended since"),
    })
}

/// What guest processes have and domains do not.
fn check(job: &Job) -> Result<(), Error> {
    match job {
        Job { name: Some(_), .. } => Err(Error::NotForXen("--as")),
        Job { digest: true, .. } => Err(Error::NotForXen("--digest")),
        _ => Ok(()),
    }
}
