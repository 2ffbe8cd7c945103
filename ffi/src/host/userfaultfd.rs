//! userfaultfd as a write log: asynchronous write protection (Linux 6.7 and later).
//!
//! The guest registers its own memory. A write to a protected page then only clears the page's protection, without
//! anybody being asked, and `PAGEMAP_SCAN` ([`super::pagemap`]) reads and renews the protection from outside.
//! Numbers and structures are those of `linux/userfaultfd.h`.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::error::os;
use super::{GuestMemory, HostError};

/// `UFFD_API`: the only version there is.
const API: u64 = 0xAA;
/// `UFFD_USER_MODE_ONLY`: what an unprivileged process may have.
const USER_MODE_ONLY: libc::c_int = 1;
/// `UFFD_FEATURE_WP_HUGETLBFS_SHMEM`: write protection of shared memory.
const FEATURE_WP_SHMEM: u64 = 1 << 12;
/// `UFFD_FEATURE_WP_UNPOPULATED`: of pages that are not there yet too.
const FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
/// `UFFD_FEATURE_WP_ASYNC`: the kernel resolves the fault by itself.
const FEATURE_WP_ASYNC: u64 = 1 << 15;
/// `UFFDIO_REGISTER_MODE_WP`.
const REGISTER_MODE_WP: u64 = 1 << 1;
/// `UFFDIO_WRITEPROTECT_MODE_WP`.
const WRITEPROTECT_MODE_WP: u64 = 1 << 0;

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
struct Register {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

/// `struct uffdio_writeprotect`.
#[repr(C)]
struct WriteProtect {
    start: u64,
    len: u64,
    mode: u64,
}

nix::ioctl_readwrite!(uffdio_api, API, 0x3F, Api);
nix::ioctl_readwrite!(uffdio_register, API, 0x00, Register);
nix::ioctl_readwrite!(uffdio_writeprotect, API, 0x06, WriteProtect);

/// The guest's memory is write-protected while this lives; dropping it (or the death of the process) ends that.
#[derive(Debug)]
pub(super) struct WriteLog(
    #[expect(dead_code, reason = "held for its Drop, which ends the protection")] OwnedFd,
);

impl WriteLog {
    /// Protects all of the memory.
    pub(super) fn start(memory: &GuestMemory) -> Result<Self, HostError> {
        let uffd = open().map_err(os("open a userfaultfd"))?;
        let raw = uffd.as_raw_fd();

        let features = FEATURE_WP_SHMEM | FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC;
        let mut api = Api { api: API, features, ioctls: 0 };
        // SAFETY: the structure has the layout that the kernel reads and writes, and outlives the call.
        unsafe { uffdio_api(raw, &raw mut api) }
            .map_err(os("have asynchronous write protection (Linux 6.7) from userfaultfd"))?;

        let (start, len) = (memory.address(), memory.len());
        let mut register = Register { start, len, mode: REGISTER_MODE_WP, ioctls: 0 };
        // SAFETY: as above; the range is a live map of this process, and no missing or minor faults are asked for, so
        // that no access ever waits for an answer.
        unsafe { uffdio_register(raw, &raw mut register) }
            .map_err(os("register the guest's memory with userfaultfd"))?;

        let mut protect = WriteProtect { start, len, mode: WRITEPROTECT_MODE_WP };
        // SAFETY: as above; with WP_ASYNC a write to a protected page proceeds by itself.
        unsafe { uffdio_writeprotect(raw, &raw mut protect) }
            .map_err(os("write-protect the guest's memory"))?;
        Ok(Self(uffd))
    }
}

fn open() -> Result<OwnedFd, Errno> {
    // SAFETY: the system call takes flags only.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
