//! A descriptor whose reads and writes never block for longer than an abort may go unseen.
//!
//! `O_NONBLOCK` belongs to the open file description, which `-` and `fd:N` share with whoever gave them to us
//! (a shell, a toolstack), so it is never set there:
//! - sockets, ours or not, are used with `MSG_DONTWAIT`, which is per call;
//! - a shared pipe is opened anew, which gives a description of our own, where `/proc` and its owner permit;
//! - else it is polled first, as a terminal is. Once it is ready, a read returns what is there, and a write of
//!   at most `PIPE_BUF` bytes fits: Linux reports a pipe as writable when a whole page of it is free. Only a
//!   stranger that reads or writes the same end at the same moment could still make the call wait;
//! - what we opened is opened with `O_NONBLOCK`; regular files and block devices ignore it and are
//!   never polled.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::{Abort, Undelivered};
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::gather::{Gathered, Outgoing};
use super::tcp;
use super::wait::{Wait, poll_once};

/// The most that an ordinary user may give a pipe (`/proc/sys/fs/pipe-max-size`); Linux starts with 64 KiB.
const PIPE_BYTES: libc::c_int = 1 << 20;

/// How a descriptor is kept from blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file or block device.
    File,
    /// Any socket.
    Socket,
    /// A pipe or character device with an `O_NONBLOCK` of our own.
    Own,
    /// A pipe or character device whose description is shared.
    Shared,
}

/// Whose open file description it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Description {
    /// Ours alone; not a socket: opened with `O_NONBLOCK`.
    Own,
    /// Somebody else uses it too.
    Shared,
}

pub(super) struct Channel {
    fd: OwnedFd,
    kind: Kind,
    sent: Arc<AtomicU64>,
    pub(super) wait: Wait,
}

impl Channel {
    pub(super) fn new(fd: OwnedFd, description: Description, abort: &Abort) -> io::Result<Self> {
        let format = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
        let (fd, kind) = match format {
            SFlag::S_IFREG | SFlag::S_IFBLK => (fd, Kind::File),
            SFlag::S_IFSOCK => (fd, Kind::Socket),
            _ if description == Description::Own => (fd, Kind::Own),
            SFlag::S_IFIFO => reopen(&fd).map_or((fd, Kind::Shared), |own| (own, Kind::Own)),
            _ => (fd, Kind::Shared),
        };
        if format == SFlag::S_IFIFO {
            // Every byte waits its turn in the pipe, so its room says how often the two ends wait for each other. A
            // user who has too much in pipes already is refused, and then it stays as it is.
            let _ = fcntl(&fd, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        }
        Ok(Self { fd, kind, sent: Arc::default(), wait: Wait::new(abort) })
    }

    /// Another one, of our own, that counts what it accepts with this one.
    pub(super) fn beside(&self, fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { sent: self.counter(), ..Self::new(fd, Description::Own, &self.wait.abort)? })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether a read would return at once.
    pub(super) fn is_readable(&self) -> io::Result<bool> {
        poll_once(self.fd.as_fd(), PollFlags::POLLIN, Duration::ZERO)
    }

    /// How many bytes were accepted.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Counts them as they are accepted.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// What was sent and not read, as far as the kernel tells.
    pub(super) fn undelivered(&self) -> Undelivered {
        let unread = if self.kind == Kind::Socket { tcp::unread_at_most(self.fd.as_fd()) } else { 0 };
        Undelivered { in_flight: self.in_flight(), unread }
    }

    /// Bytes that a socket or a pipe has taken and the other end has not: for TCP, has not acknowledged.
    fn in_flight(&self) -> u64 {
        let request = match self.kind {
            Kind::File => return 0,
            // SIOCOUTQ of linux/sockios.h is the same number.
            Kind::Socket => libc::TIOCOUTQ,
            Kind::Own | Kind::Shared => libc::FIONREAD,
        };
        let mut bytes: libc::c_int = 0;
        // SAFETY: both requests write one int.
        let answer = unsafe { libc::ioctl(self.fd.as_raw_fd(), request, &raw mut bytes) };
        // A device that knows no such number holds nothing back.
        if answer < 0 { 0 } else { u64::try_from(bytes).unwrap_or(0) }
    }

    /// Waits until a file's bytes are on the disk; the other kinds have no disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.kind == Kind::File { Ok(nix::unistd::fsync(&self.fd)?) } else { Ok(()) }
    }

    /// Returns when every byte is accepted.
    pub(super) fn send(&mut self, outgoing: &mut Outgoing<'_>) -> io::Result<()> {
        while !outgoing.is_empty() {
            let sent =
                self.wait.until_ready(self.fd.as_fd(), PollFlags::POLLOUT, || self.try_send(outgoing))?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            outgoing.advance(sent);
            self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<usize> {
        match self.kind {
            Kind::Socket => self.sendmsg(&outgoing.gather(usize::MAX)),
            Kind::File | Kind::Own => self.writev(&outgoing.gather(usize::MAX)),
            Kind::Shared => {
                self.expect_ready(PollFlags::POLLOUT)?;
                self.writev(&outgoing.gather(libc::PIPE_BUF))
            }
        }
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self.kind {
            Kind::Socket => Ok(recv(self.fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT)?),
            Kind::File => Ok(nix::unistd::read(&self.fd, buf)?),
            // Not at once even with `O_NONBLOCK`: a named pipe that has had no writer yet would seem to be at its
            // end.
            Kind::Own | Kind::Shared => {
                self.expect_ready(PollFlags::POLLIN)?;
                Ok(nix::unistd::read(&self.fd, buf)?)
            }
        }
    }

    fn expect_ready(&self, events: PollFlags) -> io::Result<()> {
        let ready = poll_once(self.fd.as_fd(), events, Duration::ZERO)?;
        if ready { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Without `SIGPIPE`: Rust programs start with it ignored.
    fn writev(&self, bytes: &Gathered<'_>) -> io::Result<usize> {
        let iovecs = bytes.iovecs();
        let count = libc::c_int::try_from(iovecs.len()).map_err(io::Error::other)?;
        // SAFETY: the iovecs are readable memory that `bytes` borrows; the kernel only reads it, and a guest
        // that writes there meanwhile makes a torn copy and nothing worse.
        let sent = unsafe { libc::writev(self.fd.as_raw_fd(), iovecs.as_ptr(), count) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn sendmsg(&self, bytes: &Gathered<'_>) -> io::Result<usize> {
        let iovecs = bytes.iovecs();
        // SAFETY: all zeros is a valid msghdr: no name, no iovecs, no control data.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = iovecs.as_ptr().cast_mut();
        message.msg_iovlen = iovecs.len();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: as in `writev`; `sendmsg` changes neither the header nor the iovecs.
        let sent = unsafe { libc::sendmsg(self.fd.as_raw_fd(), &raw const message, flags) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Our end of a pipe whose other end is a program's. Each end has a description of its own, so the program's goes on
/// blocking.
pub(super) fn own_pipe(pipe: OwnedFd, abort: &Abort) -> io::Result<Channel> {
    let flags = OFlag::from_bits_retain(fcntl(&pipe, FcntlArg::F_GETFL)?);
    fcntl(&pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Channel::new(pipe, Description::Own, abort)
}

/// The same end of a pipe, with an open file description of our own.
fn reopen(pipe: &OwnedFd) -> io::Result<OwnedFd> {
    let access = OFlag::from_bits_truncate(fcntl(pipe, FcntlArg::F_GETFL)?) & OFlag::O_ACCMODE;
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    Ok(open(path.as_str(), access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}

impl Read for Channel {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.wait.until_ready(self.fd.as_fd(), PollFlags::POLLIN, || self.try_read(buf))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?}, {:?})", self.fd, self.kind)
    }
}
