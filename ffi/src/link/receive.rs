//! The receiving end.

use std::fs::OpenOptions;
use std::io::{self, BufReader, IsTerminal, Read};
use std::iter;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use engine::Abort;

use super::channel::{Channel, Description, Kind, own_pipe};
use super::door::Door;
use super::gather::Outgoing;
use super::wait::Wait;
use super::{Error, LinkSpec, inherited, socket};

/// How far a link of our own is read ahead, so that small reads do not cost a system call each (bytes). Reads
/// of this size and above go straight into the caller's memory.
const READ_AHEAD: usize = 64 << 10;

/// Opens `spec` for receiving. Raising `abort` ends every wait of the link within 100 ms, the opening too.
///
/// For `tcp:` and `unix:` that means to listen and to accept one connection; `listening` is called in between
/// with the address that a sender may connect to (port 0 is by then the real one).
///
/// # Errors
/// [`Error::Open`] when the link cannot be had; nothing is left of it.
pub fn open_receive(
    spec: &LinkSpec,
    abort: &Abort,
    listening: impl FnOnce(&LinkSpec),
) -> Result<ReceiveLink, Error> {
    open(spec, abort, listening).map_err(|source| Error::Open {
        action: "receive from",
        link: spec.clone(),
        source,
    })
}

fn open(spec: &LinkSpec, abort: &Abort, listening: impl FnOnce(&LinkSpec)) -> io::Result<ReceiveLink> {
    let wait = Wait::new(abort);
    let mut door = None;
    let (fd, description) = match spec {
        LinkSpec::File(path) => (open_file(path)?, Description::Own),
        LinkSpec::Stdio => (inherited::duplicate(libc::STDIN_FILENO)?, Description::Shared),
        LinkSpec::Fd(fd) => (inherited::duplicate(*fd)?, Description::Shared),
        LinkSpec::Tcp { host, port } => {
            let listener = socket::listen_tcp(host, *port, &wait)?;
            listening(&LinkSpec::Tcp { host: host.clone(), port: listener.local_addr()?.port() });
            let first = socket::accept_tcp(&listener, &wait)?;
            door = Some(Door { listener, first: first.try_clone()?, abort: abort.clone() });
            (first, Description::Own)
        }
        LinkSpec::Unix(path) => {
            let door = socket::listen_unix(path)?;
            listening(spec);
            (socket::accept_unix(&door, &wait)?, Description::Own)
        }
    };
    let channel = Channel::new(fd, description, abort)?;
    let ahead = description == Description::Own && matches!(channel.kind(), Kind::File | Kind::Socket);
    let duplex = channel.kind() == Kind::Socket && *spec != LinkSpec::Stdio;
    // Without capacity every read is passed on as it is.
    let input = BufReader::with_capacity(if ahead { READ_AHEAD } else { 0 }, channel);
    Ok(ReceiveLink { input, replies: None, duplex, door })
}

/// Receives from standard input and answers on standard output: the end that a sender's [`open_command`] talks to.
///
/// [`open_command`]: super::open_command
///
/// # Errors
/// [`Error::Open`] when one of them is closed, or is a terminal.
pub fn open_answering(abort: &Abort) -> Result<ReceiveLink, Error> {
    answering(abort).map_err(|source| Error::Open { action: "receive from", link: LinkSpec::Stdio, source })
}

fn answering(abort: &Abort) -> io::Result<ReceiveLink> {
    if io::stdin().is_terminal() || io::stdout().is_terminal() {
        return Err(io::Error::other("it is a terminal; a migrating command speaks here"));
    }
    let shared = |fd| Channel::new(inherited::duplicate(fd)?, Description::Shared, abort);
    let (input, replies) = (shared(libc::STDIN_FILENO)?, shared(libc::STDOUT_FILENO)?);
    Ok(ReceiveLink {
        input: BufReader::with_capacity(0, input),
        replies: Some(replies),
        duplex: true,
        door: None,
    })
}

/// A link from a program that writes the stream to one pipe and hears answers on another; these are our ends of them.
///
/// # Errors
/// When they are no pipes.
pub fn receive_over(input: OwnedFd, replies: OwnedFd, abort: &Abort) -> io::Result<ReceiveLink> {
    let (input, replies) = (own_pipe(input, abort)?, own_pipe(replies, abort)?);
    Ok(ReceiveLink {
        input: BufReader::with_capacity(0, input),
        replies: Some(replies),
        duplex: true,
        door: None,
    })
}

fn open_file(path: &Path) -> io::Result<OwnedFd> {
    // A named pipe without a writer opens at once this way; the first read waits for one.
    Ok(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?.into())
}

/// A link that a stream is read from.
///
/// Behind a stream in `-` or `fd:N` there may be bytes for somebody else: those links are never read further
/// than asked.
///
/// Once aborted, reads fail with an [`Aborted`](super::Aborted) inside an error of kind
/// [`Other`](io::ErrorKind::Other).
#[derive(Debug)]
pub struct ReceiveLink {
    input: BufReader<Channel>,
    /// Where answers go to, if not to where the stream comes from.
    replies: Option<Channel>,
    duplex: bool,
    door: Option<Door>,
}

impl ReceiveLink {
    /// A further connection of a source.
    pub(super) fn of_lane(channel: Channel) -> Self {
        let input = BufReader::with_capacity(READ_AHEAD, channel);
        Self { input, replies: None, duplex: false, door: None }
    }

    /// Where further connections of the same source may come in; a `tcp:` link has it, once.
    #[must_use]
    pub fn take_door(&mut self) -> Option<Door> {
        self.door.take()
    }

    /// Whether [`reply`](Self::reply) is possible.
    #[must_use]
    pub fn is_duplex(&self) -> bool {
        self.duplex
    }

    /// Whether bytes were read that nobody asked for yet.
    pub(super) fn has_read_ahead(&self) -> bool {
        !self.input.buffer().is_empty()
    }

    /// The descriptor that the stream comes from.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.get_ref().as_fd()
    }

    /// From here on an abort is not heard: see [`SendLink::ignore_abort`](super::SendLink::ignore_abort).
    pub fn ignore_abort(&mut self) {
        for channel in iter::once(self.input.get_mut()).chain(&mut self.replies) {
            channel.wait.abort = Abort::new();
        }
    }

    /// Sends `message` to the other end.
    ///
    /// # Errors
    /// When the link is closed or the run was aborted;
    /// [`Unsupported`](io::ErrorKind::Unsupported) when the link is not duplex.
    pub fn reply(&mut self, message: &[u8]) -> io::Result<()> {
        if !self.duplex {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let channel = self.replies.as_mut().unwrap_or(self.input.get_mut());
        channel.send(&mut Outgoing::new(message, &[]))
    }

    /// Fills `message` with the other end's next bytes.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) after `deadline`, [`UnexpectedEof`](io::ErrorKind::UnexpectedEof)
    /// when the link is closed, and as for reading when the run was aborted.
    pub fn receive(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.input.get_mut().wait.deadline = Some(deadline);
        let result = self.read_exact(message);
        self.input.get_mut().wait.deadline = None;
        result
    }
}

impl Read for ReceiveLink {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.input.read(buf)
    }
}
