//! What TCP knows of the other end.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

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
