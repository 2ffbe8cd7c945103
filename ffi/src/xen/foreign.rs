//! Memory of a domain, mapped into this process.

use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use engine::{GuestPage, PageBytes};
use stream::PAGE_SIZE;

use super::handle::logger;
use super::{Error, sys};

const DEVICE: &str = "/dev/xen/privcmd";
const WORDS: usize = PAGE_SIZE / size_of::<u64>();

/// The way to map other domains' memory.
#[derive(Debug)]
pub(super) struct Foreign(NonNull<sys::xenforeignmemory_handle>);

// SAFETY: once open the handle does not change; mapping and unmapping are system calls on its descriptor, and the
// logger does nothing.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Foreign {
    pub(super) fn open() -> Result<Arc<Self>, Error> {
        // SAFETY: the logger lives for ever; flags 0.
        let handle = unsafe { sys::xenforeignmemory_open(logger(), 0) };
        let handle = NonNull::new(handle)
            .ok_or_else(|| Error::NoXen { device: DEVICE, cause: io::Error::last_os_error() })?;
        Ok(Arc::new(Self(handle)))
    }

    /// Maps these frames read only, all of them. A mapping that could be written would take a reference that a PV
    /// guest's page tables do not allow.
    pub(super) fn map(self: &Arc<Self>, domid: u32, frames: &[u64]) -> Result<Mapping, Error> {
        let (mapping, errors) = self.map_some(domid, frames)?;
        all_mapped(domid, frames, &errors)?;
        Ok(mapping)
    }

    /// Maps these frames to write, all of them: those of a domain that never ran.
    pub(super) fn map_to_write(self: &Arc<Self>, domid: u32, frames: &[u64]) -> Result<WriteMapping, Error> {
        let (mapping, errors) = self.map_with(domid, libc::PROT_READ | libc::PROT_WRITE, frames)?;
        all_mapped(domid, frames, &errors)?;
        Ok(WriteMapping(mapping))
    }

    /// Maps those of these frames, at least one, that can be; the others have an `errno` in the answer.
    pub(super) fn map_some(
        self: &Arc<Self>,
        domid: u32,
        frames: &[u64],
    ) -> Result<(Mapping, Vec<c_int>), Error> {
        self.map_with(domid, libc::PROT_READ, frames)
    }

    fn map_with(
        self: &Arc<Self>,
        domid: u32,
        access: c_int,
        frames: &[u64],
    ) -> Result<(Mapping, Vec<c_int>), Error> {
        let count = frames.len();
        let mut errors = vec![0; count];
        // The library would take a call about nothing for a kernel that is too old.
        assert!(count > 0, "nothing to map");
        // SAFETY: both arrays have `count` elements.
        let at = unsafe {
            sys::xenforeignmemory_map(
                self.0.as_ptr(),
                domid,
                access,
                count,
                frames.as_ptr(),
                errors.as_mut_ptr(),
            )
        };
        let Some(at) = NonNull::new(at.cast::<u8>()) else {
            let cause = io::Error::last_os_error();
            return Err(Error::Map { domid, frame: frames[0], cause });
        };
        let holes = errors.iter().enumerate().filter(|(_, e)| **e != 0).map(|(i, _)| i).collect();
        Ok((Mapping { foreign: Arc::clone(self), at, count, holes }, errors))
    }

    /// Maps the first page of the domain's grant table, to write.
    pub(super) fn map_grant_table(self: &Arc<Self>, domid: u32) -> Result<GrantPage, Error> {
        let domid16 = u16::try_from(domid).map_err(|_| Error::NoDomain(domid))?;
        let mut at = ptr::null_mut();
        // SAFETY: `at` is null: the kernel chooses the place; one frame from 0 of the shared table.
        let resource = unsafe {
            sys::xenforeignmemory_map_resource(
                self.0.as_ptr(),
                domid16,
                sys::XENMEM_resource_grant_table,
                sys::XENMEM_resource_grant_table_id_shared,
                0,
                1,
                &raw mut at,
                libc::PROT_READ | libc::PROT_WRITE,
                0,
            )
        };
        let failed =
            || Error::Call { call: "mapping the grant table", domid, cause: io::Error::last_os_error() };
        let resource = NonNull::new(resource).ok_or_else(failed)?;
        let at = NonNull::new(at.cast()).ok_or_else(failed)?;
        Ok(GrantPage { foreign: Arc::clone(self), resource, at })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once; every mapping holds an `Arc` and is gone.
        unsafe { sys::xenforeignmemory_close(self.0.as_ptr()) };
    }
}

fn all_mapped(domid: u32, frames: &[u64], errors: &[c_int]) -> Result<(), Error> {
    match errors.iter().zip(frames).find(|(error, _)| **error != 0) {
        None => Ok(()),
        Some((&error, &frame)) => {
            Err(Error::Map { domid, frame, cause: io::Error::from_raw_os_error(error.abs()) })
        }
    }
}

/// Frames of a domain, side by side, readable while this lives.
#[derive(Debug)]
pub(super) struct Mapping {
    foreign: Arc<Foreign>,
    at: NonNull<u8>,
    count: usize,
    /// Pages that could not be mapped, ascending: touching one is a SIGBUS.
    holes: Vec<usize>,
}

// SAFETY: memory that any thread may read, and unmap.
unsafe impl Send for Mapping {}
// SAFETY: it is only read, by atomic loads.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Some of its pages.
    ///
    /// # Panics
    /// When they are outside, or one of them could not be mapped.
    pub(super) fn pages(&self, range: Range<usize>) -> &[GuestPage] {
        assert!(range.start <= range.end && range.end <= self.count, "pages {range:?} of {}", self.count);
        let hole = self.holes.partition_point(|&hole| hole < range.start);
        assert!(self.holes.get(hole).is_none_or(|&hole| hole >= range.end), "a hole in {range:?}");
        // SAFETY: mapped, readable and page-aligned for the whole range while `self` lives; `GuestPage` is
        // transparent over atomic words, for which a guest that writes meanwhile is no undefined behaviour.
        unsafe {
            let first = self.at.as_ptr().cast::<GuestPage>().add(range.start);
            std::slice::from_raw_parts(first, range.len())
        }
    }

    /// All of it as 64-bit words.
    ///
    /// # Panics
    /// When a page could not be mapped.
    pub(super) fn words(&self) -> &[AtomicU64] {
        let pages = self.pages(0..self.count);
        // SAFETY: the same memory, seen as the words that a `GuestPage` is made of.
        unsafe { std::slice::from_raw_parts(pages.as_ptr().cast(), pages.len() * WORDS) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by this handle with this length, unmapped once. It cannot fail for a whole mapping.
        unsafe {
            sys::xenforeignmemory_unmap(self.foreign.0.as_ptr(), self.at.as_ptr().cast(), self.count);
        }
    }
}

/// Frames of a domain that never ran, side by side, which nobody else writes.
#[derive(Debug)]
pub(super) struct WriteMapping(Mapping);

impl WriteMapping {
    /// Its pages, to write.
    pub(super) fn pages_mut(&mut self) -> &mut [PageBytes] {
        // SAFETY: mapped for writing, without holes, while `self` lives. The domain never ran and its rings are
        // not connected yet, so this process alone has the memory, and it through this one mapping.
        unsafe { std::slice::from_raw_parts_mut(self.0.at.as_ptr().cast(), self.0.count) }
    }
}

/// The first page of a domain's grant table.
#[derive(Debug)]
pub(super) struct GrantPage {
    foreign: Arc<Foreign>,
    resource: NonNull<sys::xenforeignmemory_resource_handle>,
    at: NonNull<sys::grant_entry_v1_t>,
}

impl GrantPage {
    /// Fills one of the reserved entries (`GNTTAB_RESERVED_*`) of a domain that never ran.
    pub(super) fn permit(&mut self, entry: u32, to: u16, frame: u32) {
        const { assert!(sys::GNTTAB_RESERVED_XENSTORE < 8 && sys::GNTTAB_RESERVED_CONSOLE < 8) };
        assert!(entry < 8, "only the reserved entries");
        let flags = u16::try_from(sys::GTF_permit_access).unwrap_or(0);
        // SAFETY: a page of these entries, mapped for writing; the domain never ran.
        unsafe {
            let entry = self.at.as_ptr().add(entry as usize);
            ptr::write_volatile(&raw mut (*entry).domid, to);
            ptr::write_volatile(&raw mut (*entry).frame, frame);
            ptr::write_volatile(&raw mut (*entry).flags, flags);
        }
    }
}

impl Drop for GrantPage {
    fn drop(&mut self) {
        // SAFETY: mapped by this handle, unmapped once.
        unsafe { sys::xenforeignmemory_unmap_resource(self.foreign.0.as_ptr(), self.resource.as_ptr()) };
    }
}
