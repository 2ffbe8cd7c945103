//! Memory that the hypervisor may read and write.

use std::ffi::c_void;
use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use stream::PAGE_SIZE;

use super::Error;

/// Linux 4.18 and later give memory here that is never paged out, moved or copied on write; with ordinary memory a
/// hypercall may fail with `EFAULT` now and then.
const DEVICE: &str = "/dev/xen/hypercall";

/// Zeroed memory that a hypercall may be given.
#[derive(Debug)]
pub(super) struct HypercallBuffer {
    at: NonNull<c_void>,
    size: NonZeroUsize,
}

// SAFETY: plain memory that this value alone owns.
unsafe impl Send for HypercallBuffer {}

impl HypercallBuffer {
    /// At least `bytes` bytes, whole pages.
    pub(super) fn new(bytes: usize) -> Result<Self, Error> {
        let size = NonZeroUsize::new(bytes.next_multiple_of(PAGE_SIZE)).unwrap_or(NonZeroUsize::MIN);
        let no_xen = |cause| Error::NoXen { device: DEVICE, cause };
        let device = OpenOptions::new().read(true).write(true).open(DEVICE).map_err(no_xen)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, nothing of ours is replaced.
        let at = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, device, 0) };
        let at = at.map_err(|e| Error::Host { call: "mmap of a hypercall buffer", cause: e.into() })?;
        Ok(Self { at, size })
    }

    /// One that starts with these bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut buffer = Self::new(bytes.len())?;
        buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        Ok(buffer)
    }

    /// What to put into a guest handle.
    pub(super) fn as_ptr<T>(&self) -> *mut T {
        self.at.as_ptr().cast()
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped and initialised (zeroed) for this length while `self` lives; a hypercall that writes it
        // has returned by the time anybody reads.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.size.get()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.size.get()) }
    }
}

impl Drop for HypercallBuffer {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size, unmapped once. It cannot fail for a whole mapping.
        let _ = unsafe { munmap(self.at, self.size.get()) };
    }
}
