//! The two pipes between libxl and its helper.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::message::NO_ERRNO;
use super::{Callbacks, Error, Level, Notice, Request, Verdict};

/// Who the helper's log lines are from; the same name as the stock helper's.
const CONTEXT: &str = "xc";

/// The dialogue with libxl. Any thread may use it: frames do not mix, and one request is under way at a time.
///
/// Waiting for an answer ends with the answer or with libxl: an abort does not end it, for the answer would then
/// be taken for that of the next request. libxl answers what is under way before it gives up.
pub struct Channel {
    input: Mutex<Box<dyn Read + Send>>,
    output: Mutex<Box<dyn Write + Send>>,
    callbacks: Callbacks,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("callbacks", &self.callbacks).finish_non_exhaustive()
    }
}

impl Channel {
    /// Reads answers from `input` and writes frames to `output`; `callbacks` is what libxl takes.
    pub fn new(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        callbacks: Callbacks,
    ) -> Self {
        Self { input: Mutex::new(Box::new(input)), output: Mutex::new(Box::new(output)), callbacks }
    }

    /// Over standard input and output, without their buffers.
    ///
    /// # Errors
    /// [`Error::Setup`] when there is no descriptor left.
    pub fn standard(callbacks: Callbacks) -> Result<Self, Error> {
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(Error::Setup)?;
        let output = io::stdout().as_fd().try_clone_to_owned().map_err(Error::Setup)?;
        Ok(Self::new(File::from(input), File::from(output), callbacks))
    }

    /// Tells libxl something.
    ///
    /// # Errors
    /// [`Error::Send`], or [`Error::NotOffered`] when libxl does not take the restore's results.
    pub fn tell(&self, notice: &Notice<'_>) -> Result<(), Error> {
        if let Notice::RestoreResults(_) = notice {
            self.expect_offered(notice.number(), notice.name())?;
        }
        self.send(notice.name(), &notice.encode())
    }

    /// Asks libxl something and waits for the answer.
    ///
    /// # Errors
    /// [`Error::NotOffered`], [`Error::Send`], [`Error::Gone`], [`Error::Receive`], and those of
    /// [`Request::judge`].
    pub fn ask(&self, request: &Request) -> Result<Verdict, Error> {
        let message = request.name();
        if !matches!(request, Request::Complete { .. }) {
            self.expect_offered(request.number(), message)?;
        }
        let mut reply = [0; size_of::<i32>()];
        // Held from the request to its answer.
        let mut input = lock(&self.input);
        self.send(message, &request.encode())?;
        input.read_exact(&mut reply).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => Error::Gone { message },
            _ => Error::Receive { message, cause },
        })?;
        request.judge(i32::from_ne_bytes(reply))
    }

    /// A line for libxl's log. It is lost when libxl is gone; the next request tells.
    pub fn log(&self, level: Level, text: &str) {
        let _ = self.tell(&Notice::Log { level, errno: NO_ERRNO, context: CONTEXT, text });
    }

    /// How far the helper is: `done` of `total`, which is 0 for something that simply happened. Lost as
    /// [`Self::log`].
    pub fn progress(&self, text: &str, done: u64, total: u64) {
        let _ = self.tell(&Notice::Progress { context: CONTEXT, text, done, total });
    }

    fn expect_offered(&self, number: u16, message: &'static str) -> Result<(), Error> {
        let Callbacks(callbacks) = self.callbacks;
        if self.callbacks.has(number) { Ok(()) } else { Err(Error::NotOffered { message, callbacks }) }
    }

    fn send(&self, message: &'static str, frame: &[u8]) -> Result<(), Error> {
        lock(&self.output).write_all(frame).map_err(|cause| Error::Send { message, cause })
    }
}

/// A thread that panicked left nothing half done that matters here: a pipe has no state but its bytes.
fn lock<T: ?Sized>(side: &Mutex<T>) -> MutexGuard<'_, T> {
    side.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN_SAVE: Callbacks = Callbacks(136);

    fn answered(reply: &'static [u8]) -> Channel {
        Channel::new(reply, io::sink(), PLAIN_SAVE)
    }

    #[test]
    fn an_answer_is_four_bytes_and_no_more() {
        let channel = answered(&[1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(channel.ask(&Request::Suspend).unwrap(), Verdict::Granted);
        assert!(matches!(channel.ask(&Request::Suspend), Err(Error::Refused { reply: 0, .. })));
        assert!(matches!(channel.ask(&Request::Suspend), Err(Error::Gone { .. })));
    }

    #[test]
    fn a_part_of_an_answer_is_none() {
        for length in 0..4 {
            let gone = answered(&[0; 4][..length]).ask(&Request::Complete { retval: 0, errno: 0 });
            assert!(matches!(gone, Err(Error::Gone { message: "complete" })), "{gone:?}");
        }
    }

    #[test]
    fn what_libxl_has_no_callback_for_is_not_sent() {
        let (mut sent, output) = io::pipe().unwrap();
        let channel = Channel::new(io::empty(), output, PLAIN_SAVE);
        for request in [
            Request::Postcopy,
            Request::Checkpoint,
            Request::WaitCheckpoint,
            Request::StaticDataDone { missing: 0 },
        ] {
            assert!(matches!(channel.ask(&request), Err(Error::NotOffered { callbacks: 136, .. })));
        }
        let results = Notice::RestoreResults(crate::helper::RestoreResults::default());
        assert!(matches!(channel.tell(&results), Err(Error::NotOffered { .. })));
        drop(channel);
        assert_eq!(sent.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_closed_pipe_is_an_error_and_not_the_end() {
        let (reader, output) = io::pipe().unwrap();
        drop(reader);
        let channel = Channel::new(io::empty(), output, PLAIN_SAVE);
        channel.log(Level::Error, "nobody hears this");
        let Err(Error::Send { cause, .. }) = channel.ask(&Request::Suspend) else { panic!("it was sent") };
        assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe);
    }
}
