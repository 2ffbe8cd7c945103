//! A guest's memory as the guest itself has it.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{GuestPage, PAGE_SIZE, Pfn};

use super::map::{Access, Mapping, Memfd, PAGE, index};
use super::{HostError, P2m};

/// What the memory file is called in `/proc/PID/fd`.
const NAME: &str = "xc-guest memory";
/// 64-bit words in a page.
const WORDS: usize = PAGE_SIZE / 8;

/// The memory of a guest: one memory file, mapped once, so that every write goes through the map that is tracked.
///
/// Behind the guest's last page the file has one more, the proof page: it belongs to no pfn, and a tracker
/// proves itself on it while the guest runs.
#[derive(Debug)]
pub struct GuestMemory {
    map: Mapping,
    memfd: Memfd,
    pages: u64,
}

/// How long the memory file of a guest is.
pub(super) fn file_size(pages: u64) -> u64 {
    (pages + 1) * PAGE
}

impl GuestMemory {
    /// Memory of `pages` pages for a new guest, none populated.
    ///
    /// # Errors
    /// [`HostError::Os`].
    pub fn create(pages: u64) -> Result<Self, HostError> {
        Self::map(Memfd::create(NAME, file_size(pages))?, pages)
    }

    /// The same, for a guest that is being built: its pages have memory by huge pages where the kernel has some. No tracker
    /// works with this map; the guest has one of its own.
    pub(super) fn to_be_filled(pages: u64) -> Result<Self, HostError> {
        let memfd = Memfd::create(NAME, file_size(pages))?;
        Ok(Self { map: Mapping::huge(&memfd)?, memfd, pages })
    }

    /// The memory that another process made for this guest.
    pub(super) fn of_process(pid: u32, fd: i32, pages: u64) -> Result<Self, HostError> {
        Self::map(Memfd::of_process(pid, fd, file_size(pages), Access::ReadWrite)?, pages)
    }

    fn map(memfd: Memfd, pages: u64) -> Result<Self, HostError> {
        Ok(Self { map: Mapping::new(&memfd, Access::ReadWrite)?, memfd, pages })
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.memfd.number()
    }

    /// The guest's pages, indexed by pfn.
    #[must_use]
    pub fn pages(&self) -> &[GuestPage] {
        &self.map.pages()[..index(self.pages)]
    }

    /// The words of one page.
    ///
    /// # Panics
    /// When the guest has no such pfn.
    #[must_use]
    pub fn words(&self, pfn: Pfn) -> &[AtomicU64] {
        assert!(pfn.0 < self.pages, "pfn {pfn} of a guest of {} pages", self.pages);
        &self.map.words()[pfn.index() * WORDS..][..WORDS]
    }

    /// Gives these pages memory, zeroed.
    ///
    /// # Errors
    /// [`HostError::Os`] when there is none.
    pub fn populate(&self, p2m: &P2m, run: Range<u64>) -> Result<(), HostError> {
        self.map.populate(run.clone())?;
        p2m.insert(run.clone());
        p2m.log(run);
        Ok(())
    }

    /// Takes the memory of these pages away. Nobody may write to them meanwhile: a write would bring the page
    /// back.
    ///
    /// # Errors
    /// [`HostError::Os`]; then the pages are as they were.
    pub fn depopulate(&self, p2m: &P2m, run: Range<u64>) -> Result<(), HostError> {
        self.memfd.punch(run.clone())?;
        p2m.remove(run.clone());
        p2m.log(run);
        Ok(())
    }

    /// Writes to the proof page.
    pub fn write_proof(&self) {
        self.map.words()[index(self.pages) * WORDS].fetch_add(1, Ordering::Relaxed);
    }

    /// Gives these pages memory, zeroed if they had none, and maps it. The p2m is left alone, here and in the next.
    pub(super) fn take(&self, run: Range<u64>) -> Result<(), HostError> {
        self.map.populate(run)
    }

    /// Takes the memory of these pages away.
    pub(super) fn release(&self, run: Range<u64>) -> Result<(), HostError> {
        self.memfd.punch(run)
    }

    /// Reads the bytes of these pages from `data`.
    ///
    /// # Safety
    /// Meanwhile nobody else, in this or another process, may touch these pages.
    pub(super) unsafe fn read_from(&self, run: &Range<u64>, data: &mut dyn Read) -> io::Result<()> {
        let mut bytes = self.map.bytes(run);
        // SAFETY: `bytes` checked that they lie in the map, which is writable and lives as long as `self`; that nobody else
        // touches them is the caller's promise.
        data.read_exact(unsafe { bytes.as_mut() })
    }

    /// How many pages have memory.
    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.memfd.allocated().unwrap() / PAGE
    }

    /// Where the map is in this process.
    pub(super) fn address(&self) -> u64 {
        self.map.address()
    }

    /// The length of the map, bytes, with the proof page.
    pub(super) fn len(&self) -> u64 {
        file_size(self.pages)
    }

    /// See [`Mapping::lock_on_fault`].
    pub(super) fn lock_on_fault(&self, on: bool) -> Result<(), HostError> {
        self.map.lock_on_fault(on)
    }
}
