//! The sending end.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Read};
use std::iter;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use engine::{Abort, GuestPage, Link, Undelivered};
use stream::lanes::Lanes;

use super::channel::{Channel, Description, Kind, own_pipe};
use super::gather::Outgoing;
use super::part_file::PartFile;
use super::wait::Wait;
use super::{Aborted, Error, LinkSpec, ReceiveLink, command, inherited, socket, tcp};

/// How long the other end may take to answer all further connections.
const LANES_WITHIN: Duration = Duration::from_secs(10);

/// Opens `spec` for sending. Raising `abort` ends every wait of the link within 100 ms, the opening too.
///
/// # Errors
/// [`Error::Open`] when the link cannot be had; nothing is left of it.
pub fn open_send(spec: &LinkSpec, abort: &Abort) -> Result<SendLink, Error> {
    open(spec, abort).map_err(|source| Error::Open { action: "send to", link: spec.clone(), source })
}

fn open(spec: &LinkSpec, abort: &Abort) -> io::Result<SendLink> {
    let wait = Wait::new(abort);
    let mut part = None;
    let (fd, description) = match spec {
        LinkSpec::File(path) if is_replaceable(path) => {
            let file = part.insert(PartFile::create(path)?);
            (file.writer()?.into(), Description::Own)
        }
        LinkSpec::File(path) => (open_existing(path, &wait)?, Description::Own),
        LinkSpec::Stdio => (standard_output()?, Description::Shared),
        LinkSpec::Fd(fd) => (inherited::duplicate(*fd)?, Description::Shared),
        LinkSpec::Tcp { host, port } => (socket::connect_tcp(host, *port, &wait)?, Description::Own),
        LinkSpec::Unix(path) => (socket::connect_unix(path, &wait)?, Description::Own),
    };
    let channel = Channel::new(fd, description, abort)?;
    let duplex = channel.kind() == Kind::Socket && *spec != LinkSpec::Stdio;
    Ok(SendLink { channel, answers: None, command: None, part, duplex, name: spec.to_string() })
}

/// Runs a shell command as the other end: it reads the stream from its standard input and answers on its standard
/// output. Dropping the link ends the command; it hears no signals from the terminal.
///
/// # Errors
/// [`Error::Command`] when there is no shell. A command that fails shows in the first answer.
pub fn open_command(command: &str, abort: &Abort) -> Result<SendLink, Error> {
    run(command, abort).map_err(|source| Error::Command { command: command.to_owned(), source })
}

fn run(shell_command: &str, abort: &Abort) -> io::Result<SendLink> {
    let (command, input, output) = command::start(shell_command)?;
    let link = send_over(input, output, shell_command, abort)?;
    Ok(SendLink { command: Some(command), ..link })
}

/// A link to a program that reads the stream from one pipe and answers on another; these are our ends of them.
///
/// # Errors
/// When they are no pipes.
pub fn send_over(input: OwnedFd, output: OwnedFd, name: &str, abort: &Abort) -> io::Result<SendLink> {
    let channel = own_pipe(input, abort)?;
    let answers = Some(own_pipe(output, abort)?);
    Ok(SendLink { channel, answers, command: None, part: None, duplex: true, name: name.to_owned() })
}

/// Whether a regular file may take this name.
fn is_replaceable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |m| m.is_file())
}

/// Opens a pipe or device; a named pipe once it has a reader.
fn open_existing(path: &Path, wait: &Wait) -> io::Result<OwnedFd> {
    let is_pipe = fs::metadata(path)?.file_type().is_fifo();
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    wait.every_tick(|| match options.open(path) {
        Err(e) if is_pipe && e.raw_os_error() == Some(libc::ENXIO) => Err(io::ErrorKind::WouldBlock.into()),
        result => Ok(result?.into()),
    })
}

fn standard_output() -> io::Result<OwnedFd> {
    if io::stdout().is_terminal() {
        return Err(io::Error::other("standard output is a terminal, and a stream is no text"));
    }
    inherited::duplicate(libc::STDOUT_FILENO)
}

/// A link that takes a stream.
///
/// Dropping it without [`commit`](Self::commit) leaves no new file behind.
#[derive(Debug)]
pub struct SendLink {
    channel: Channel,
    /// Where answers come from, if not from where the stream goes to.
    answers: Option<Channel>,
    /// Behind the channels: these are closed first, which is how a command hears that it shall end.
    command: Option<command::Running>,
    part: Option<PartFile>,
    duplex: bool,
    name: String,
}

impl SendLink {
    /// Whether the other end can answer on the same link.
    #[must_use]
    pub fn is_duplex(&self) -> bool {
        self.duplex
    }

    /// Whether what was sent is kept once [`commit`](Self::commit) has returned: a regular file.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.channel.kind() == Kind::File
    }

    /// A path by which another program of this user can open what is sent to, while this link is open; a socket cannot
    /// be opened so.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.channel.as_fd().as_raw_fd()).into()
    }

    /// How many bytes the link has accepted.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.channel.sent()
    }

    /// Counts them as they are accepted, for who watches from elsewhere.
    #[must_use]
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.channel.counter()
    }

    /// From here on an abort is not heard: for the part of a hand-over that must not be left undecided, where
    /// only deadlines and a closed link end a wait.
    pub fn ignore_abort(&mut self) {
        for channel in iter::once(&mut self.channel).chain(&mut self.answers) {
            channel.wait.abort = Abort::new();
        }
    }

    /// Opens further connections to where this one goes, one for each of the other `lanes`, and greets there. What they
    /// accept is counted with what this one does.
    ///
    /// # Errors
    /// When this link is not `tcp:`, or the other end does not listen any more; this link is then as it was.
    /// [`TimedOut`](io::ErrorKind::TimedOut) when there is no answer for 10 s.
    pub fn open_lanes(&self, lanes: &Lanes) -> io::Result<Vec<Self>> {
        let wait =
            Wait { deadline: Some(Instant::now() + LANES_WITHIN), ..Wait::new(&self.channel.wait.abort) };
        let others = (1..lanes.count).map(|number| self.open_lane(&lanes.greeting(number), &wait));
        let others = others.collect::<io::Result<_>>()?;
        tcp::stay_small_if_local(self.channel.as_fd())?;
        Ok(others)
    }

    fn open_lane(&self, greeting: &[u8], wait: &Wait) -> io::Result<Self> {
        let fd = socket::connect_beside(self.channel.as_fd(), wait)?;
        tcp::stay_small_if_local(fd.as_fd())?;
        let channel = self.channel.beside(fd)?;
        let name = self.name.clone();
        let mut lane = Self { channel, answers: None, command: None, part: None, duplex: false, name };
        lane.send_bytes(greeting)?;
        Ok(lane)
    }

    /// Fills `message` with the other end's next bytes.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) after `deadline`, [`UnexpectedEof`](io::ErrorKind::UnexpectedEof)
    /// when the link is closed, [`Other`](io::ErrorKind::Other) with an [`Aborted`] inside when the run was
    /// aborted, [`Unsupported`](io::ErrorKind::Unsupported) when the link is not duplex.
    pub fn receive(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        if !self.duplex {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let channel = self.answers.as_mut().unwrap_or(&mut self.channel);
        channel.wait.deadline = Some(deadline);
        let result = channel.read_exact(message);
        channel.wait.deadline = None;
        result.map_err(|error| match &mut self.command {
            Some(command) => command.explain(error),
            None => error,
        })
    }

    /// Waits until the other end says something, or ends (`true`), or `from` does (`false`).
    pub(super) fn has_answer_before(&self, from: &ReceiveLink) -> io::Result<bool> {
        let answers = self.answers.as_ref().unwrap_or(&self.channel);
        if from.has_read_ahead() {
            return answers.is_readable();
        }
        let first = self.channel.wait.first_readable([answers.as_fd(), from.as_fd()])?;
        Ok(first == 0)
    }

    /// Sends bytes that are nobody's memory.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.send(&mut Outgoing::new(bytes, &[]))
    }

    /// Every byte is sent: gives a new file its name, and returns when a file is on the disk.
    ///
    /// # Errors
    /// When the disk refuses. Under that name is then the older file, or the new one whole.
    pub fn commit(self) -> Result<(), Error> {
        let done = match self.part {
            Some(part) => part.commit(),
            None => self.channel.sync(),
        };
        done.map_err(|source| Error::Finish { link: self.name, source })
    }
}

impl Link for SendLink {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.channel.send(&mut Outgoing::new(head, pages)).map_err(interrupted_if_aborted)
    }

    fn undelivered(&self) -> Undelivered {
        self.channel.undelivered()
    }
}

/// The kind that [`Link::send`] promises.
fn interrupted_if_aborted(error: io::Error) -> io::Error {
    match error.downcast::<Aborted>() {
        Ok(aborted) => io::Error::new(io::ErrorKind::Interrupted, aborted),
        Err(other) => other,
    }
}
