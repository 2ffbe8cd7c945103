//! The way of one `xc-restore`.

use std::io;
use std::time::Instant;

use engine::{Abort, Context, RestoreOptions, RestoreReport, WallClock};
use ffi::host::{GuestConfig, Host, HostTarget, NameUse};
use ffi::link::{ReceiveLink, open_receive};
use ffi::signals::abort_on_signals;
use stream::Input;
use stream::xl::handshake::READY;
use xc_save::console::{chain, data, say};
use xc_save::exit::Exit;
use xc_save::hand_over::Dialogue;
use xc_save::progress::Progress;

use crate::cli::Args;
use crate::take_over::{self, take_over};
use crate::{Error, envelope, stats};

/// Does what the command line says; prints the errors and, last, where the guest is.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let abort = Abort::new();
    let failure = match receive_and_start(args, &abort) {
        Ok(place) => {
            say(place);
            return Exit::Done;
        }
        Err(failure) => as_abort(failure, &abort),
    };
    say(format_args!("xc-restore: {}", chain(&failure)));
    say(place_after(&failure));
    failure.exit()
}

/// A failure before the guest was ours, seen as the abort that it may be.
fn as_abort(failure: Error, abort: &Abort) -> Error {
    match (&failure, abort.reason()) {
        (Error::TakeOver(take_over::Error::NotStarted(_) | take_over::Error::Unheard(_)), _)
        | (Error::Stats(_), _)
        | (_, None) => failure,
        (_, Some(reason)) => Error::Aborted(reason.into()),
    }
}

/// Where the guest is after a failure.
fn place_after(failure: &Error) -> &'static str {
    match failure {
        Error::TakeOver(take_over::Error::Unheard(_)) => {
            "the guest runs here; on the source, end the suspended copy with `xc-guest stop NAME--migratedaway`"
        }
        Error::Stats(_) => "the guest runs here",
        _ => "nothing of the guest is left here; it is where it was: with its source, or in its file",
    }
}

/// One restore, from the link to the running guest; returns where it is.
fn receive_and_start(args: &Args, abort: &Abort) -> Result<String, Error> {
    let clock = WallClock::start();
    abort_on_signals(abort).map_err(Error::Signals)?;
    let mut link = open_receive(&args.link, abort, |at| say(format_args!("listening on {at}")))?;
    if link.is_duplex() {
        link.reply(READY).map_err(Error::Greet)?;
    }
    let (mut target, report) = receive(args, &clock, &mut link, abort)?;
    let name = target.config().name.clone();
    if link.is_duplex() {
        take_over(&mut Answering(&mut link), || target.start(args.paused))?;
    } else {
        if let Some(reason) = abort.reason() {
            return Err(Error::Aborted(reason.into()));
        }
        target.start(args.paused).map_err(Error::Start)?;
    }
    if let Some(digest) = report.digest {
        data(format_args!("{digest:032x} {}", report.populated));
    }
    stats::write(args, &name, &report)?;
    let verb = if args.paused { "is paused" } else { "runs" };
    Ok(format!("host:{name} {verb} here, {} pages", report.populated))
}

/// Reads the stream in its envelope and builds the guest from it.
fn receive(
    args: &Args,
    clock: &WallClock,
    link: &mut ReceiveLink,
    abort: &Abort,
) -> Result<(HostTarget, RestoreReport), Error> {
    let duplex = link.is_duplex();
    let mut input = Input::new(link);
    let config = envelope::before(&mut input)?;
    let mut target = create(args, config, duplex)?;
    let mut progress = Progress::new(args.progress);
    let mut context = Context { clock, observer: &mut progress, abort };
    let options = RestoreOptions { digest: args.digest };
    let (report, mut input) = engine::restore(input, &mut target, options, &mut context)?;
    envelope::after(&mut input)?;
    Ok((target, report))
}

fn create(args: &Args, config: GuestConfig, duplex: bool) -> Result<HostTarget, Error> {
    let name = args.name.as_ref().map_or_else(|| config.name.clone(), |name| name.0.clone());
    // A source on this same host has the name until it gives the guest away.
    let name_use = if duplex { NameUse::FreeAtStart } else { NameUse::FreeNow };
    Host::from_env().create(config, &name, name_use).map_err(Error::Create)
}

/// The receiving end in a hand-over. Trait and link are both of other crates, so it takes a type of ours.
struct Answering<'a>(&'a mut ReceiveLink);

impl Dialogue for Answering<'_> {
    fn tell(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.reply(message)
    }

    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.0.receive(message, deadline)
    }

    fn ignore_abort(&mut self) {
        self.0.ignore_abort();
    }
}
