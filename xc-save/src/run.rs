//! The way of one `xc-save`.

use std::io;
use std::time::{Duration, Instant};

use engine::{
    Abort, Clock, Context, Link, SaveOptions, SaveReport, Source, SourceDomain, StreamSink, WallClock,
};
use ffi::host::{GuestHandle, Host, HostGuest, TrackerChoice};
use ffi::link::{SendLink, open_send};
use ffi::signals::abort_on_signals;
use policy::{bandwidth, stop};
use stream::xl::handshake::READY;

use crate::cli::Args;
use crate::console::{chain, say};
use crate::exit::Exit;
use crate::hand_over::{self, Departing, Dialogue, expect, hand_over};
use crate::progress::{Progress, Style};
use crate::{Error, envelope, stats, summary};

/// How long the other end may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Does what the command line says; prints the errors and, last, where the guest is.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let failure = match save_and_settle(args) {
        Ok(place) => {
            say(place);
            return Exit::Done;
        }
        Err(failure) => failure,
    };
    say(format_args!("xc-save: {}", chain(&failure)));
    say(place_after(&failure, args));
    failure.exit()
}

/// Where the guest is after a failure.
fn place_after(failure: &Error, args: &Args) -> String {
    let (domain, name) = (&args.domain, &args.domain.0);
    match failure {
        Error::Attach(_) => format!("nothing was done to {domain}"),
        Error::HandOver(hand_over::Error::Undecided(_)) => format!(
            "{domain} is suspended here as {name}--migratedaway; if it does not run on the target, resume it with \
             `xc-guest resume {name}--migratedaway`, if it does, end it with `xc-guest stop {name}--migratedaway`"
        ),
        Error::HandOver(hand_over::Error::NotTakenBack(_)) => format!(
            "{domain} is suspended here as {name}--migratedaway and runs nowhere; resume it with `xc-guest resume \
             {name}--migratedaway`"
        ),
        Error::Save(engine::Error::NotUndone { .. }) => {
            format!("{domain} may be suspended; resume it with `xc-guest resume {name}`")
        }
        Error::Aftermath(..) => {
            format!("{domain} is saved in {}; see `xc-guest list` for what is here", args.link)
        }
        Error::Stats(..) => format!("everything else is done; see `xc-guest list` for where {domain} is"),
        _ => format!("{domain} runs on here as before"),
    }
}

/// One save, from the guest's name to its end here; returns where the guest is.
fn save_and_settle(args: &Args) -> Result<String, Error> {
    let (clock, abort) = (WallClock::start(), Abort::new());
    abort_on_signals(&abort).map_err(Error::Signals)?;
    let choice = TrackerChoice::from_env().map_err(Error::Attach)?;
    let mut guest = Host::from_env().attach(&args.domain.0, choice).map_err(Error::Attach)?;
    let mut link = open_send(&args.link, &abort)?;
    if link.is_duplex() {
        expect(&mut link, READY, READY_WITHIN).map_err(|cause| heard(&abort, Error::NoReceiver(cause)))?;
    }
    let report = send_all(args, &clock, &mut guest, &mut link, &abort)?;
    settle(args, &clock, guest, link, &report, &abort)
}

/// Sends the stream in its envelope; the guest is suspended then.
fn send_all(
    args: &Args,
    clock: &WallClock,
    guest: &mut HostGuest,
    link: &mut SendLink,
    abort: &Abort,
) -> Result<SaveReport, Error> {
    let before = envelope::before(guest.handle.config())?;
    link.send(&before, &[]).map_err(|cause| heard(abort, Error::Send(cause)))?;
    let report = save(args, clock, guest, link, abort)?;
    let after = envelope::after()?;
    link.send(&after, &[]).map_err(|cause| heard(abort, Error::Send(cause)))?;
    Ok(report)
}

fn save(
    args: &Args,
    clock: &WallClock,
    guest: &mut HostGuest,
    link: &mut SendLink,
    abort: &Abort,
) -> Result<SaveReport, Error> {
    let mut options = options(args);
    let mut progress = Progress::new(args.progress);
    let mut sink = StreamSink::new(link, guest.source.header().kind, clock, abort);
    let HostGuest { source: domain, tracker, toolstack, .. } = guest;
    let source = Source { domain, tracker, toolstack };
    let mut context = Context { clock, observer: &mut progress, abort };
    Ok(engine::save(source, &mut sink, &mut options, &mut context)?)
}

fn options(args: &Args) -> SaveOptions {
    // The command line's own check has already refused what cannot be made.
    let stop = stop::by_name(&args.stop).unwrap_or_else(|_| Box::new(stop::Xen));
    let bandwidth = bandwidth::by_name(&args.bandwidth).unwrap_or_else(|_| Box::new(bandwidth::Unlimited));
    SaveOptions { live: args.live, verify: args.debug, ..SaveOptions::live(stop, bandwidth) }
}

/// Everything is sent: decides what becomes of the guest here.
fn settle(
    args: &Args,
    clock: &WallClock,
    mut guest: HostGuest,
    mut link: SendLink,
    report: &SaveReport,
    abort: &Abort,
) -> Result<String, Error> {
    if link.is_duplex() && !args.checkpoint {
        hand_over(&mut link, &mut Handed(&mut guest.handle), abort)?;
        let running = Some(clock.now());
        if !args.hold {
            guest.handle.destroy().map_err(|cause| Error::Aftermath("ended", cause))?;
        }
        summarise(args, report, running)?;
        return Ok(format!("{} runs on the target {}{}", args.domain, args.link, held(args)));
    }
    let durable = link.is_durable();
    link.commit().map_err(|cause| heard(abort, cause.into()))?;
    if let Some(reason) = abort.reason() {
        return Err(Error::Aborted(reason.into()));
    }
    let place = keep(args, guest, durable)?;
    summarise(args, report, None)?;
    Ok(place)
}

/// The figures, for people and for `--stats`.
fn summarise(args: &Args, report: &SaveReport, running: Option<Duration>) -> Result<(), Error> {
    if args.progress != Style::None {
        say(summary::table(report, running));
    }
    stats::write(args, report, running)
}

/// The guest is in a file, or went into a pipe that gives no answer.
fn keep(args: &Args, mut guest: HostGuest, durable: bool) -> Result<String, Error> {
    let (domain, name, link) = (&args.domain, &args.domain.0, &args.link);
    if args.checkpoint {
        engine::Toolstack::resume(&mut guest.toolstack).map_err(|cause| engine::Error::World {
            phase: engine::Phase::Close,
            step: "resuming the guest",
            cause,
        })?;
        return Ok(format!("{domain} is saved in {link} and runs on here"));
    }
    if durable && !args.hold {
        guest.handle.destroy().map_err(|cause| Error::Aftermath("ended", cause))?;
        return Ok(format!("{domain} is saved in {link} and runs nowhere now"));
    }
    guest.handle.give_away().map_err(|cause| Error::Aftermath("kept aside", cause))?;
    Ok(format!(
        "{domain} went to {link} and is kept here, suspended, as {name}--migratedaway: `xc-guest stop \
         {name}--migratedaway` once it is safe there, or `xc-guest resume {name}--migratedaway`"
    ))
}

fn held(args: &Args) -> String {
    if args.hold {
        format!("; its copy is kept here, suspended, as {}--migratedaway", args.domain.0)
    } else {
        String::new()
    }
}

/// A failure of the link, seen as the abort that it may be.
fn heard(abort: &Abort, otherwise: Error) -> Error {
    abort.reason().map_or(otherwise, |reason| Error::Aborted(reason.into()))
}

struct Handed<'a>(&'a mut GuestHandle);

impl Departing for Handed<'_> {
    fn give_away(&mut self) -> Result<(), engine::BoxError> {
        Ok(self.0.give_away()?)
    }

    fn take_back(&mut self) -> Result<(), engine::BoxError> {
        Ok(self.0.take_back()?)
    }
}

impl Dialogue for SendLink {
    fn tell(&mut self, message: &[u8]) -> io::Result<()> {
        self.send(message, &[])
    }

    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.receive(message, deadline)
    }

    fn ignore_abort(&mut self) {
        Self::ignore_abort(self);
    }
}
