//! Connecting and accepting, TCP and unix.
//!
//! The sizes of socket buffers are left to the kernel, but for several connections that all stay in this machine: setting
//! one switches its autotuning off, which knows the path better than a constant.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::{fs, thread};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, UnixAddr, bind, connect, listen, setsockopt,
    socket, sockopt,
};
use nix::sys::stat::{Mode, fchmod};

use super::{tcp, wait::Wait};

/// A silent peer is probed after this many seconds,
const KEEPALIVE_IDLE: u32 = 10;
/// this often (seconds),
const KEEPALIVE_INTERVAL: u32 = 5;
/// and is dead after this many probes without an answer.
const KEEPALIVE_PROBES: u32 = 3;
/// A peer that acknowledges nothing, or takes nothing, for this long is dead (milliseconds).
const USER_TIMEOUT: u32 = 30_000;

/// Connects to the first address of `host` that answers.
pub(super) fn connect_tcp(host: &str, port: u16, wait: &Wait) -> io::Result<OwnedFd> {
    let mut last = no_address();
    for address in resolve(host, port, wait)? {
        match connect_address(address, wait) {
            Err(e) => last = e,
            connected => return connected,
        }
    }
    Err(last)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

/// On a thread of its own, because a resolver that does not answer cannot be interrupted.
fn resolve(host: &str, port: u16, wait: &Wait) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let addresses = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // Nobody listens any more when the wait was aborted.
        let _ = sender.send(addresses);
    })?;
    wait.message(&receiver)?
}

/// Connects to where a connection goes.
pub(super) fn connect_beside(tcp: BorrowedFd<'_>, wait: &Wait) -> io::Result<OwnedFd> {
    connect_address(TcpStream::from(tcp.try_clone_to_owned()?).peer_addr()?, wait)
}

fn connect_address(address: SocketAddr, wait: &Wait) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let tcp = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    // Before connecting, so that the user timeout bounds that too.
    set_tcp_options(&tcp)?;
    let address = SockaddrStorage::from(address);
    wait.until_ready(tcp.as_fd(), PollFlags::POLLOUT, || match connect(tcp.as_raw_fd(), &address) {
        Err(Errno::EINPROGRESS | Errno::EALREADY) => Err(io::ErrorKind::WouldBlock.into()),
        result => Ok(result?),
    })?;
    tcp::unpace_if_near(tcp.as_fd());
    Ok(tcp)
}

fn set_tcp_options(tcp: &OwnedFd) -> nix::Result<()> {
    setsockopt(tcp, sockopt::TcpNoDelay, &true)?;
    setsockopt(tcp, sockopt::KeepAlive, &true)?;
    setsockopt(tcp, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE)?;
    setsockopt(tcp, sockopt::TcpKeepInterval, &KEEPALIVE_INTERVAL)?;
    setsockopt(tcp, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)?;
    setsockopt(tcp, sockopt::TcpUserTimeout, &USER_TIMEOUT)
}

/// Listens on the first address of `host` that can be had.
pub(super) fn listen_tcp(host: &str, port: u16, wait: &Wait) -> io::Result<TcpListener> {
    let addresses = resolve(host, port, wait)?;
    if addresses.is_empty() {
        return Err(no_address());
    }
    let listener = TcpListener::bind(addresses.as_slice())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for one connection.
pub(super) fn accept_tcp(listener: &TcpListener, wait: &Wait) -> io::Result<OwnedFd> {
    let (tcp, _) = wait.until_ready(listener.as_fd(), PollFlags::POLLIN, || listener.accept())?;
    let tcp = OwnedFd::from(tcp);
    set_tcp_options(&tcp)?;
    Ok(tcp)
}

/// Connects; while the listener's queue is full it is asked again each tick.
pub(super) fn connect_unix(path: &Path, wait: &Wait) -> io::Result<OwnedFd> {
    let address = UnixAddr::new(path)?;
    let unix = unix_socket(SockType::Stream)?;
    wait.every_tick(|| Ok(connect(unix.as_raw_fd(), &address)?))?;
    Ok(unix)
}

fn unix_socket(kind: SockType) -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// A listening socket whose file goes when this value does.
pub(super) struct UnixDoor {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for UnixDoor {
    fn drop(&mut self) {
        // Nothing is left to tell when somebody was faster.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens for the owner's processes only.
pub(super) fn listen_unix(path: &Path) -> io::Result<UnixDoor> {
    let address = UnixAddr::new(path)?;
    remove_if_dead(path, &address)?;
    let unix = unix_socket(SockType::Stream)?;
    // Linux gives the socket's mode to the file, so there is no moment at which others could connect.
    fchmod(&unix, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(unix.as_raw_fd(), &address)?;
    let door = UnixDoor { listener: UnixListener::from(unix), path: path.to_owned() };
    listen(&door.listener, Backlog::new(1)?)?;
    Ok(door)
}

/// Removes the socket file of a listener that was killed.
fn remove_if_dead(path: &Path, address: &UnixAddr) -> io::Result<()> {
    // A probe of another type: a living listener answers EPROTOTYPE and never sees a connection.
    match connect(unix_socket(SockType::Datagram)?.as_raw_fd(), address) {
        // A file that is no socket refuses too; that one stays, and `bind` says that the name is taken.
        Err(Errno::ECONNREFUSED) if is_socket(path) => fs::remove_file(path),
        _ => Ok(()),
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
}

/// Waits for one connection.
pub(super) fn accept_unix(door: &UnixDoor, wait: &Wait) -> io::Result<OwnedFd> {
    let (unix, _) = wait.until_ready(door.listener.as_fd(), PollFlags::POLLIN, || door.listener.accept())?;
    Ok(unix.into())
}

#[cfg(test)]
mod tests {
    use engine::Abort;
    use nix::sys::socket::getsockopt;

    use super::*;

    #[test]
    fn both_ends_notice_a_dead_peer() {
        let wait = Wait::new(&Abort::new());
        let listener = listen_tcp("127.0.0.1", 0, &wait).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ours = connect_tcp("127.0.0.1", port, &wait).unwrap();
        let theirs = accept_tcp(&listener, &wait).unwrap();
        for end in [ours, theirs] {
            assert!(getsockopt(&end, sockopt::TcpNoDelay).unwrap());
            assert!(getsockopt(&end, sockopt::KeepAlive).unwrap());
            assert_eq!(getsockopt(&end, sockopt::TcpKeepIdle).unwrap(), KEEPALIVE_IDLE);
            assert_eq!(getsockopt(&end, sockopt::TcpKeepInterval).unwrap(), KEEPALIVE_INTERVAL);
            assert_eq!(getsockopt(&end, sockopt::TcpKeepCount).unwrap(), KEEPALIVE_PROBES);
            assert_eq!(getsockopt(&end, sockopt::TcpUserTimeout).unwrap(), USER_TIMEOUT);
        }
    }
}
