//! The running migration's side.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use engine::{Abort, Event, Observer};

use super::{CANCELLED, MAX_LINE, Reply, Request, Status};
use crate::exit::Exit;

/// How long somebody who connected may take to ask.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// The entry of a running migration; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Register {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    abort: Abort,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    status: Status,
    /// From here on it cannot be cancelled.
    decided: bool,
    /// Those who cancelled wait for the end.
    waiting: Vec<UnixStream>,
}

impl Register {
    /// Enters a migration. The caller controls its guest, so an entry of the same name is of a dead one.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub(crate) fn enter(directory: &Path, status: Status, abort: &Abort) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join(format!("{}.sock", status.id));
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(&path)?;
        let state = State { status, decided: false, waiting: Vec::new() };
        let shared = Arc::new(Shared { abort: abort.clone(), state: Mutex::new(state) });
        let register = Self { path, shared: shared.clone() };
        // It ends with the process.
        thread::Builder::new().name("control".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.answer(stream));
            }
        })?;
        Ok(register)
    }

    /// Who keeps the figures up to date.
    pub(crate) fn observer(&self) -> impl Observer + Send + use<> {
        Watch(self.shared.clone())
    }

    /// The guest is about to be given away. Returns whether it may be: from here on nobody can cancel.
    pub(crate) fn decide(&self) -> bool {
        let mut state = self.shared.lock();
        state.decided = self.shared.abort.reason().is_none();
        if state.decided {
            state.status.phase = "hand-over".into();
        }
        state.decided
    }

    /// It is over: whoever cancelled hears how.
    pub(crate) fn end(self, exit: Exit, place: &str) {
        for stream in self.shared.lock().waiting.drain(..) {
            // Who does not listen any more does not want to know.
            let _ = send(&stream, &Reply::Ended { exit: exit as u8, place: place.to_owned() });
        }
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        // A leftover is replaced by the next one.
        let _ = fs::remove_file(&self.path);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, stream: UnixStream) {
        let Some(request) = receive(&stream) else { return };
        let mut state = self.lock();
        // Who does not listen any more needs no answer.
        let _ = match request {
            Request::Status => send(&stream, &Reply::Status(Box::new(state.status.clone()))),
            Request::Cancel if state.decided => send(&stream, &Reply::TooLate),
            Request::Cancel => {
                self.abort.raise(CANCELLED);
                let told = send(&stream, &Reply::Cancelling);
                state.waiting.push(stream);
                told
            }
        };
    }
}

/// `None` for what is no request.
fn receive(stream: &UnixStream) -> Option<Request> {
    stream.set_read_timeout(Some(ASK_WITHIN)).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

fn send(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}

struct Watch(Arc<Shared>);

impl Observer for Watch {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        let mut state = self.0.lock();
        state.status.measure.event(at, event);
        state.status.phase = state.status.measure.phase.word().to_owned();
    }
}
