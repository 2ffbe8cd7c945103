//! Descriptors that this process was started with.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A second descriptor of the same description, so that closing the link leaves the first one open.
///
/// Descriptors other than the standard three are kept from programs that this process starts: a guest that
/// outlives us must not hold a link open.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    if fd > libc::STDERR_FILENO {
        // SAFETY: F_SETFD touches no memory, and fails when the descriptor is not open.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: as above.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fcntl has just made it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
