//! The guest's side of the control protocol.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use ffi::host::protocol::{Lines, Reply, Request};

use super::machine::Machine;
use super::session::After;
use crate::Error;

/// How many connections may be open at once; more are closed again.
const MAX_CONNECTIONS: usize = 64;

/// Serves a guest to everybody who connects.
#[derive(Clone, Debug)]
pub(super) struct Server {
    machine: Arc<Machine>,
    next: Arc<AtomicU64>,
    open: Arc<AtomicUsize>,
    end: Sender<()>,
}

impl Server {
    /// Serves in threads of their own. The receiver hears when the guest ends.
    pub(super) fn start(
        machine: Arc<Machine>,
        listener: UnixListener,
    ) -> Result<(Self, Receiver<()>), Error> {
        let (end, ended) = mpsc::channel();
        let server = Self { machine, next: Arc::default(), open: Arc::default(), end };
        let accepting = server.clone();
        let body = move || listener.incoming().flatten().for_each(|stream| accepting.accept(stream));
        spawn("control", body)?;
        Ok((server, ended))
    }

    /// The number of the next connection.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn accept(&self, stream: UnixStream) {
        if self.open.fetch_add(1, Ordering::Relaxed) < MAX_CONNECTIONS {
            let (server, number) = (self.clone(), self.number());
            let serving = spawn("connection", move || {
                server.serve(number, Lines::new(stream));
                server.open.fetch_sub(1, Ordering::Relaxed);
            });
            if serving.is_ok() {
                return;
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Answers one connection until it ends.
    pub(super) fn serve(&self, number: u64, mut lines: Lines) {
        let mut after = After::Go;
        while after != After::End {
            let (reply, next) = match lines.receive::<Request>() {
                Ok(Some(request)) => self.machine.handle(number, &request),
                Ok(None) => break,
                Err(e) => {
                    // Behind nonsense there is no knowing where the next request begins.
                    let _ = lines.send(&Reply::Refused { reason: format!("not a request: {e}") });
                    break;
                }
            };
            after = next;
            let sent = lines.send(&reply);
            if after == After::Start {
                self.machine.lock().go();
            }
            if sent.is_err() {
                break;
            }
        }
        // Only the connection that ended the guest ends the process, so that its reply is out by then.
        if self.machine.hang_up(number) == After::End || after == After::End {
            // Nobody listens any more when the process ends already.
            let _ = self.end.send(());
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(|source| Error::Os { doing: "start a thread", source })
}
