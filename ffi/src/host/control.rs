//! The asking side of the control protocol.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};

use super::error::os;
use super::protocol::{GuestHash, GuestInfo, Lines, Reply, Request};
use super::{GuestState, Host, HostError};

/// How long a guest may take to answer its controller. All it does for one is a matter of milliseconds, so this is
/// long enough for a machine that is badly overloaded.
const PATIENCE: Duration = Duration::from_secs(30);

/// A control connection. After its first failure it is closed: request and reply might be out of step, and
/// closing it makes the guest leave every state that only a controller can end.
#[derive(Debug)]
pub(super) struct Control {
    name: String,
    lines: Option<Lines>,
}

impl Control {
    pub(super) fn new(name: &str, lines: Lines) -> Result<Self, HostError> {
        let patience = lines.stream().set_read_timeout(Some(PATIENCE));
        patience.map_err(os(format!("set a timeout for guest {name}")))?;
        Ok(Self::patient(name, lines))
    }

    /// A connection that waits for as long as an answer takes.
    pub(super) fn patient(name: &str, lines: Lines) -> Self {
        Self { name: name.to_owned(), lines: Some(lines) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The guest's process, as the kernel knows it.
    pub(super) fn peer(&self) -> Result<u32, HostError> {
        let lines = self.lines.as_ref().ok_or_else(|| HostError::Disconnected(self.name.clone()))?;
        let peer = getsockopt(lines.stream(), sockopt::PeerCredentials);
        let pid = peer.map_err(os(format!("ask for the process of guest {}", self.name)))?.pid();
        u32::try_from(pid).map_err(|_| self.nonsense(&format!("its process has the number {pid}")))
    }

    /// Asks, and waits for the answer; a refusal is an error.
    pub(super) fn call(&mut self, request: &Request) -> Result<Reply, HostError> {
        let lines = self.lines.as_mut().ok_or_else(|| HostError::Disconnected(self.name.clone()))?;
        match lines.send(request).and_then(|()| lines.receive()) {
            Ok(Some(Reply::Refused { reason })) => {
                Err(HostError::Refused { name: self.name.clone(), reason })
            }
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Err(e) => Err(self.lost(e)),
        }
    }

    /// Asks for something whose answer is only that it is done.
    pub(super) fn order(&mut self, request: &Request) -> Result<(), HostError> {
        match self.call(request)? {
            Reply::Done => Ok(()),
            other => Err(self.nonsense(&format!("{other:?}"))),
        }
    }

    /// The error for an answer that does not fit.
    pub(super) fn nonsense(&self, what: &str) -> HostError {
        /// Enough of a strange answer to recognise it.
        const SHOWN: usize = 200;
        HostError::Protocol { name: self.name.clone(), what: what.chars().take(SHOWN).collect() }
    }

    fn lost(&mut self, source: io::Error) -> HostError {
        self.lines = None;
        HostError::Os { doing: format!("control guest {}", self.name), source }
    }
}

/// What source, tracker, toolstack and handle of one guest share.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Session>>);

/// The controller's connection, and the guest's state while it is suspended.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) control: Control,
    pub(super) state: Option<GuestState>,
}

impl Shared {
    pub(super) fn new(control: Control) -> Self {
        Self(Arc::new(Mutex::new(Session { control, state: None })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        // A panic elsewhere leaves the session as good as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// Asks a guest one thing, and waits for as long as the answer takes.
    fn ask(&self, name: &str, request: &Request) -> Result<(Control, Reply), HostError> {
        let mut control = Control::patient(name, Lines::new(self.connect(name)?));
        let reply = control.call(request)?;
        Ok((control, reply))
    }

    /// How a guest is.
    ///
    /// # Errors
    /// [`HostError::NotRunning`], or the connection fails.
    pub fn info(&self, name: &str) -> Result<GuestInfo, HostError> {
        match self.ask(name, &Request::Info)? {
            (_, Reply::Info(info)) => Ok(info),
            (control, other) => Err(control.nonsense(&format!("{other:?}"))),
        }
    }

    /// The digest of a guest's memory; its vCPUs are parked meanwhile.
    ///
    /// # Errors
    /// [`HostError::NotRunning`], or the connection fails.
    pub fn hash(&self, name: &str) -> Result<GuestHash, HostError> {
        match self.ask(name, &Request::Hash)? {
            (_, Reply::Hash(hash)) => Ok(hash),
            (control, other) => Err(control.nonsense(&format!("{other:?}"))),
        }
    }

    /// Gives a guest an order that its user may give: `balloon`, `stop`, `pause`, `resume`.
    ///
    /// # Errors
    /// [`HostError::NotRunning`], [`HostError::Refused`], or the connection fails.
    pub fn order(&self, name: &str, request: &Request) -> Result<(), HostError> {
        match self.ask(name, request)? {
            (_, Reply::Done) => Ok(()),
            (control, other) => Err(control.nonsense(&format!("{other:?}"))),
        }
    }
}
