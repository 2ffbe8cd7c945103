//! What saves and restores have in common: one run of the helper from its first message to its last.

use std::any::Any;
use std::error::Error as StdError;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use std::{io, thread};

use engine::{Abort, BoxError, Event, Observer};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

use super::observer::LibxlObserver;
use super::{Callbacks, Channel, Error, Level, Request, chain};
use crate::link::Aborted;
use crate::signals::abort_on_signals;

/// Takes the report of a run that was done. What it fails with is logged, and changes nothing.
pub type Statistics<R> = Box<dyn FnOnce(&R) -> Result<(), BoxError>>;

/// Hears all of a run, and how it ends.
pub trait Witness<R>: Observer {
    /// It has ended: its report, or why there is none.
    fn end(&mut self, result: Result<&R, &engine::Error>);
}

/// libxl hears of what happens, and so does a witness.
pub(super) struct Told<'a, R> {
    pub(super) libxl: LibxlObserver<'a>,
    pub(super) witness: Option<Box<dyn Witness<R>>>,
}

impl<R> Observer for Told<'_, R> {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        self.libxl.event(at, event);
        if let Some(witness) = &mut self.witness {
            witness.event(at, event);
        }
    }
}

/// One run of the helper, for the world that it works on.
#[derive(Debug)]
pub struct Session {
    /// To libxl; a world may log.
    pub channel: Channel,
    /// Raised by SIGTERM, with which libxl aborts; by SIGINT and SIGHUP; and when libxl is gone.
    pub abort: Abort,
}

/// Does the work and tells libxl how it went, whatever happens.
///
/// `Ok` says that libxl knows, not that the work was done.
pub(super) fn run(
    operation: &str,
    callbacks: Callbacks,
    work: impl FnOnce(&Session) -> Result<(), BoxError>,
) -> Result<(), Error> {
    let session = Session { channel: Channel::standard(callbacks)?, abort: Abort::new() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        listen(&session.abort)?;
        session.channel.log(Level::Debug, &format!("starting {operation}"));
        work(&session)
    }));
    complete(&session.channel, result.unwrap_or_else(|panic| Err(panicked(&*panic).into())))
}

fn listen(abort: &Abort) -> io::Result<()> {
    // libxl may have blocked it, and the mask is inherited.
    SigSet::from(Signal::SIGTERM).thread_unblock()?;
    abort_on_signals(abort)?;
    abort_on_hangup(abort)
}

/// Without this a helper that only moves pages, or waits for a link, would not notice that libxl is gone.
fn abort_on_hangup(abort: &Abort) -> io::Result<()> {
    let (input, abort) = (io::stdin().as_fd().try_clone_to_owned()?, abort.clone());
    thread::Builder::new().name("hangup".into()).spawn(move || {
        // No event is asked for: what is always reported is a hang-up or an error.
        let mut hangup = [PollFd::new(input.as_fd(), PollFlags::empty())];
        while poll(&mut hangup, PollTimeout::NONE) == Err(Errno::EINTR) {}
        abort.raise("libxl is gone");
    })?;
    Ok(())
}

fn complete(channel: &Channel, result: Result<(), BoxError>) -> Result<(), Error> {
    let (request, outcome) = match result {
        Ok(()) => (Request::Complete { retval: 0, errno: 0 }, "all went well".to_owned()),
        Err(error) => {
            let text = chain(&*error);
            channel.log(Level::Error, &text);
            (Request::Complete { retval: -1, errno: errno(&*error) }, text)
        }
    };
    let told = channel.ask(&request);
    told.map(|_| ()).map_err(|cause| Error::Untold { outcome, cause: Box::new(cause) })
}

/// What libxl prints behind its own message: the system's error, "operation canceled" for an abort, and
/// "input/output error" for whatever has no number.
fn errno(error: &(dyn StdError + 'static)) -> i32 {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.filter_map(number).next().unwrap_or(libc::EIO)
}

fn number(cause: &(dyn StdError + 'static)) -> Option<i32> {
    if let Some(engine::Error::Aborted(_)) = cause.downcast_ref() {
        return Some(libc::ECANCELED);
    }
    if let Some(&errno) = cause.downcast_ref::<Errno>() {
        return Some(errno as i32);
    }
    let io = cause.downcast_ref::<io::Error>()?;
    if io.get_ref().is_some_and(|inner| inner.is::<Aborted>()) {
        return Some(libc::ECANCELED);
    }
    io.raw_os_error()
}

pub(super) fn keep<R>(statistics: Statistics<R>, report: &R, channel: &Channel) {
    if let Err(error) = statistics(report) {
        channel.log(Level::Warn, &format!("no statistics: {}", chain(&*error)));
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::Panicked(text.unwrap_or("without a message").to_owned())
}

#[cfg(test)]
mod tests {
    use engine::{Phase, SinkError};

    use super::*;

    #[test]
    fn the_system_error_is_found_wherever_it_is() {
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let deep = engine::Error::Send { phase: Phase::Round(3), cause: SinkError::Link(full) };
        assert_eq!(errno(&deep), libc::ENOSPC);
        assert_eq!(errno(&engine::Error::Aborted("SIGTERM".into())), libc::ECANCELED);
        assert_eq!(errno(&io::Error::other(Aborted("SIGTERM".into()))), libc::ECANCELED);
        assert_eq!(errno(&Errno::EBUSY), libc::EBUSY);
        assert_eq!(errno(&Error::Usage), libc::EIO);
    }

    #[test]
    fn a_panic_says_what_it_said() {
        for (payload, text) in [
            (Box::new("static") as Box<dyn Any + Send>, "panicked: static"),
            (Box::new("made".to_owned()), "panicked: made"),
            (Box::new(7), "panicked: without a message"),
        ] {
            assert_eq!(panicked(&*payload).to_string(), text);
        }
    }
}
