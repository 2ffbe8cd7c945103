//! Waiting that ends when the run is aborted or a deadline has passed.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use engine::Abort;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Aborted;

/// How long an abort may go unseen.
const TICK: Duration = Duration::from_millis(100);

/// Who may end a wait.
#[derive(Debug)]
pub(super) struct Wait {
    /// Looked at once a [`TICK`] and before each attempt.
    pub(super) abort: Abort,
    /// Looked at when an attempt would block.
    pub(super) deadline: Option<Instant>,
}

impl Wait {
    pub(super) fn new(abort: &Abort) -> Self {
        Self { abort: abort.clone(), deadline: None }
    }

    /// Repeats `attempt`, which never blocks, until it does not fail with `WouldBlock`; between two attempts
    /// waits for `events` of `fd`.
    pub(super) fn until_ready<T>(
        &self,
        fd: BorrowedFd<'_>,
        events: PollFlags,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        self.retry(attempt, || poll_once(fd, events, self.tick()?).map(|_| ()))
    }

    /// The same where there is nothing to wait for but time.
    pub(super) fn every_tick<T>(&self, attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.retry(attempt, || {
            thread::sleep(self.tick()?);
            Ok(())
        })
    }

    /// Waits for what another thread sends, which must send something before it ends.
    pub(super) fn message<T>(&self, from: &Receiver<T>) -> io::Result<T> {
        loop {
            self.check()?;
            match from.recv_timeout(self.tick()?) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(e @ RecvTimeoutError::Disconnected) => return Err(io::Error::other(e)),
            }
        }
    }

    /// Waits until one of two can be read, or is closed; says which, the first one where it is both.
    pub(super) fn first_readable(&self, fds: [BorrowedFd<'_>; 2]) -> io::Result<usize> {
        loop {
            self.check()?;
            let mut ends = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut ends, timeout_of(self.tick()?)) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(usize::from(!ends[0].any().unwrap_or(true))),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn retry<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<T>,
        pause: impl Fn() -> io::Result<()>,
    ) -> io::Result<T> {
        loop {
            self.check()?;
            match attempt() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => pause()?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn check(&self) -> io::Result<()> {
        match self.abort.reason() {
            // Not of kind `Interrupted`: `Read::read_exact` would try again for ever.
            Some(reason) => Err(io::Error::other(Aborted(reason.to_owned()))),
            None => Ok(()),
        }
    }

    /// How long to wait next.
    fn tick(&self) -> io::Result<Duration> {
        let left = self.deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.min(TICK)) }
    }
}

/// Whether `fd` has one of `events`, an error or a hang-up within `timeout`. A signal ends the wait early.
pub(super) fn poll_once(fd: BorrowedFd<'_>, events: PollFlags, timeout: Duration) -> io::Result<bool> {
    match poll(&mut [PollFd::new(fd, events)], timeout_of(timeout)) {
        Err(Errno::EINTR) => Ok(false),
        result => Ok(result? > 0),
    }
}

/// Rounded up: a wait of the last half millisecond must not become a busy loop.
fn timeout_of(time: Duration) -> PollTimeout {
    PollTimeout::try_from(time.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
