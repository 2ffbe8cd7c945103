//! What TCP knows of the path and of the other end, and what follows from it.

use std::ffi::{OsStr, OsString};
use std::mem;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname, getsockopt, setsockopt, sockopt};

/// A path with a shorter round trip (microseconds) has no queues of others that a sender had to spare.
const NEAR: u32 = 1000;
/// How the names of the congestion controls begin that send at a pace of their own.
const PACED: &str = "bbr";
/// What Linux starts with, and lets every process choose.
const UNPACED: &str = "cubic";

/// A sender that waited for its receiver for less than this part of the time has one that keeps up.
const KEEPS_UP: f64 = 0.1;

/// Linux tells of no window below a sixteenth of the receive buffer, and hardly any is above 64 MiB; bytes.
const SMALLEST_TOLD: u64 = 4 << 20;

/// How many bytes the receiver may have taken in and not read.
///
/// It says so only by its window, and how large an open window would be is not known to the sender. But Linux tells of a
/// window that opens whenever it has doubled: after a window of W there are W unread bytes at most, or a larger one comes;
/// and after a smaller one than it tells of, there is as much until it tells of the next.
/// A receiver that kept up all the time has none. A socket that is not TCP's knows nothing, which counts as none.
pub(super) fn unread_at_most(socket: BorrowedFd<'_>) -> u64 {
    let Some(info) = info(socket) else { return 0 };
    let waited = info.tcpi_rwnd_limited as f64 / info.tcpi_busy_time.max(1) as f64;
    if waited < KEEPS_UP { 0 } else { SMALLEST_TOLD + u64::from(info.tcpi_snd_wnd) }
}

/// Sends as fast as a near path takes it: there, the timers and small segments of a pace cost a third of the throughput
/// that a processor is good for. Elsewhere, and where it cannot be changed, the machine's congestion control stays.
pub(super) fn unpace_if_near(socket: BorrowedFd<'_>) {
    let Some(info) = info(socket) else { return };
    let control = getsockopt(&socket, sockopt::TcpCongestion).unwrap_or_default();
    if paces_in_vain(&control, info.tcpi_rtt) {
        // A kernel without the other one goes on as it was.
        let _ = setsockopt(&socket, sockopt::TcpCongestion, &OsString::from(UNPACED));
    }
}

fn paces_in_vain(control: &OsStr, round_trip: u32) -> bool {
    round_trip < NEAR && control.as_encoded_bytes().starts_with(PACED.as_bytes())
}

/// What a connection that stays in this machine may hold, bytes, at each end; the kernel doubles it for its own needs. The
/// kernel's own choice grows to tens of MiB, which a loopback has no use for, and which come from memory that nobody had
/// before and are in no cache when they are read.
const IN_ONE_MACHINE: usize = 256 << 10;

/// Keeps what lies in a connection small if both its ends are in this machine. For one of several: a single one loses more
/// by waiting than its buffers cost.
pub(super) fn stay_small_if_local(socket: BorrowedFd<'_>) -> nix::Result<()> {
    if !is_local(socket) {
        return Ok(());
    }
    setsockopt(&socket, sockopt::SndBuf, &IN_ONE_MACHINE)?;
    setsockopt(&socket, sockopt::RcvBuf, &(2 * IN_ONE_MACHINE))
}

/// Whether both ends have the same address.
fn is_local(socket: BorrowedFd<'_>) -> bool {
    let ours = getsockname::<SockaddrStorage>(socket.as_raw_fd()).ok();
    let theirs = getpeername::<SockaddrStorage>(socket.as_raw_fd()).ok();
    ours.zip(theirs)
        .is_some_and(|(ours, theirs)| address(&ours).is_some_and(|own| Some(own) == address(&theirs)))
}

fn address(socket: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = socket.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| socket.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}

/// `TCP_INFO` of linux/tcp.h; what an older kernel does not know is 0.
fn info(socket: BorrowedFd<'_>) -> Option<libc::tcp_info> {
    // SAFETY: all zeros is a valid tcp_info: it has numbers only.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut size = libc::socklen_t::try_from(mem::size_of_val(&info)).ok()?;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_INFO);
    // SAFETY: the kernel writes at most `size` bytes to `info`, and how many to `size`.
    let answer =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut info).cast(), &raw mut size) };
    (answer == 0).then_some(info)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_connection_within_this_machine_can_be_kept_small() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(is_local(socket.as_fd()));
        stay_small_if_local(socket.as_fd()).unwrap();
        // Doubled; a machine may allow less.
        assert!(getsockopt(&socket, sockopt::SndBuf).unwrap() <= 2 * IN_ONE_MACHINE);
        assert!(getsockopt(&socket, sockopt::RcvBuf).unwrap() <= 4 * IN_ONE_MACHINE);
        let (other, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!is_local(other.as_fd()), "no addresses at all");
    }

    #[test]
    fn only_a_pace_on_a_near_path_is_in_vain() {
        assert!(paces_in_vain("bbr".as_ref(), 40));
        assert!(paces_in_vain("bbr3\0\0".as_ref(), NEAR - 1));
        assert!(!paces_in_vain("bbr".as_ref(), NEAR));
        assert!(!paces_in_vain("reno".as_ref(), 40));
    }

    #[test]
    fn the_loopback_is_near() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Where there is no BBR, or it is root's alone, this socket has none to lose.
        let paced = setsockopt(&socket, sockopt::TcpCongestion, &OsString::from(PACED)).is_ok();
        let before = getsockopt(&socket, sockopt::TcpCongestion).unwrap();
        unpace_if_near(socket.as_fd());
        let after = getsockopt(&socket, sockopt::TcpCongestion).unwrap();
        assert!(!paces_in_vain(&after, 0), "{} {}", before.display(), after.display());
        assert!(paced || after == before);
    }
}
