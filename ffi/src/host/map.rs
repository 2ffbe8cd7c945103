//! Memory files, and maps of them.

use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::{GuestPage, PAGE_SIZE};
use libc::c_void;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

use super::HostError;
use super::error::os;

/// [`PAGE_SIZE`] as file offsets and addresses count.
pub(super) const PAGE: u64 = PAGE_SIZE as u64;

/// How many pages a fault on a file's page maps, those of the aligned window around it: Linux's `fault_around_bytes`
/// (`mm/memory.c`), 64 KiB unless somebody set it in debugfs.
const FAULT_AROUND: usize = 16;

/// Bytes of a huge page: x86-64's `PMD_SIZE`.
const HUGE_BYTES: usize = 2 << 20;
/// Pages of a huge page.
pub(super) const HUGE: u64 = (HUGE_BYTES / PAGE_SIZE) as u64;

/// A memory file whose size can never change: whoever maps it cannot be killed by a `SIGBUS` of a file that
/// another process cut off.
#[derive(Debug)]
pub(super) struct Memfd {
    file: File,
    len: u64,
}

/// What a process may do with another's memory file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    ReadWrite,
}

impl Memfd {
    const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_SEAL);

    /// A new memory file of `len` zero bytes.
    pub(super) fn create(name: &str, len: u64) -> Result<Self, HostError> {
        let doing = || format!("create a memory file of {len} bytes");
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd: OwnedFd = memfd_create(name, flags).map_err(os(doing()))?;
        let file = File::from(fd);
        file.set_len(len).map_err(os(doing()))?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(Self::SEALS)).map_err(os(doing()))?;
        Ok(Self { file, len })
    }

    /// Opens the memory file that is descriptor `fd` in process `pid`, if it is one of exactly `len` bytes.
    pub(super) fn of_process(pid: u32, fd: i32, len: u64, access: Access) -> Result<Self, HostError> {
        let path = format!("/proc/{pid}/fd/{fd}");
        let open = OpenOptions::new().read(true).write(access == Access::ReadWrite).open(&path);
        let file = open.map_err(os(format!("open {path}")))?;
        let bad = |what| Err(HostError::Memfd { pid, what });
        // Only a memory file has seals at all.
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).map_err(os(format!("read the seals of {path}")))?;
        if !SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return bad(format!("descriptor {fd} is not sealed against shrinking"));
        }
        let real = file.metadata().map_err(os(format!("read the size of {path}")))?.len();
        if real != len {
            return bad(format!("descriptor {fd} has {real} bytes, not {len}"));
        }
        Ok(Self { file, len })
    }

    /// The bytes of it that have memory.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> std::io::Result<u64> {
        use std::os::unix::fs::MetadataExt as _;
        /// What `stat` counts blocks in.
        const BLOCK: u64 = 512;
        Ok(self.file.metadata()?.blocks() * BLOCK)
    }

    /// The descriptor's number in this process.
    pub(super) fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Gives the memory of these pages back; they read as zeros then.
    pub(super) fn punch(&self, pages: Range<u64>) -> Result<(), HostError> {
        let offset = |page: u64| i64::try_from(page * PAGE).unwrap_or(i64::MAX);
        let (at, end) = (offset(pages.start), offset(pages.end));
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&self.file, how, at, end - at).map_err(os(format!("free the pages {pages:?}")))
    }
}

/// What pages a map has.
#[derive(Debug)]
enum Grain {
    /// Of 4 KiB, because dirty bits must be one each.
    Small,
    /// Of 2 MiB, until the kernel has none.
    Huge(AtomicBool),
}

/// A map of a memory file or of some pages of it, unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    at: NonNull<c_void>,
    bytes: NonZeroUsize,
    access: Access,
    grain: Grain,
}

// SAFETY: the address is a map of this process that lives as long as the value, whatever thread holds it.
unsafe impl Send for Mapping {}
// SAFETY: shared references only hand out atomics.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the whole file.
    pub(super) fn new(memfd: &Memfd, access: Access) -> Result<Self, HostError> {
        Self::map(memfd, access, Grain::Small, memfd.len, 0)
    }

    /// Maps the whole file to be written, where nobody looks for dirty pages: [`Self::populate`] takes huge ones.
    pub(super) fn huge(memfd: &Memfd) -> Result<Self, HostError> {
        Self::map(memfd, Access::ReadWrite, Grain::Huge(AtomicBool::new(true)), memfd.len, 0)
    }

    /// Maps these pages of it; they are counted from their first.
    pub(super) fn part(memfd: &Memfd, access: Access, pages: Range<u64>) -> Result<Self, HostError> {
        Self::map(memfd, access, Grain::Small, (pages.end - pages.start) * PAGE, pages.start * PAGE)
    }

    fn map(memfd: &Memfd, access: Access, grain: Grain, bytes: u64, from: u64) -> Result<Self, HostError> {
        let doing = || format!("map {bytes} bytes from {from:#x}");
        let count = usize::try_from(bytes).ok().and_then(NonZeroUsize::new);
        let (count, from) = count.zip(i64::try_from(from).ok()).ok_or(Errno::EINVAL).map_err(os(doing()))?;
        let mut prot = ProtFlags::PROT_READ;
        if access == Access::ReadWrite {
            prot |= ProtFlags::PROT_WRITE;
        }
        let (near, advice) = match &grain {
            Grain::Small => (None, MmapAdvise::MADV_NOHUGEPAGE),
            Grain::Huge(_) => (free_for_huge(count), MmapAdvise::MADV_HUGEPAGE),
        };
        // SAFETY: the kernel chooses a free range, near the wish or not, so no other memory of this process changes.
        let at = unsafe { mmap(near, count, prot, MapFlags::MAP_SHARED, &memfd.file, from) };
        let mapping = Self { at: at.map_err(os(doing()))?, bytes: count, access, grain };
        // A kernel without huge pages answers EINVAL and needs no advice.
        let _ = mapping.advise(0..mapping.page_count(), advice);
        Ok(mapping)
    }

    /// Where it is in this process.
    pub(super) fn address(&self) -> u64 {
        self.at.as_ptr().addr() as u64
    }

    /// Every page of it.
    pub(super) fn pages(&self) -> &[GuestPage] {
        let count = self.bytes.get() / PAGE_SIZE;
        // SAFETY: the map is page-aligned, readable, `count` pages long, lives as long as `self`, and its size is
        // sealed. `GuestPage` is `repr(transparent)` over 512 `AtomicU64`, valid for all bytes; that others write
        // meanwhile is what atomics allow.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().cast::<GuestPage>(), count) }
    }

    /// Every 64-bit word of a file that is mapped for writing.
    ///
    /// # Panics
    /// When it is mapped for reading only.
    pub(super) fn words(&self) -> &[AtomicU64] {
        assert_eq!(self.access, Access::ReadWrite, "words of a read-only map");
        let count = self.bytes.get() / size_of::<AtomicU64>();
        // SAFETY: as in `pages`, and writable.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().cast::<AtomicU64>(), count) }
    }

    /// Where the bytes of some pages are; for whoever knows that nobody else touches them.
    ///
    /// # Panics
    /// When the map is read-only, or the pages are not all in it.
    pub(super) fn bytes(&self, pages: &Range<u64>) -> NonNull<[u8]> {
        assert_eq!(self.access, Access::ReadWrite, "bytes of a read-only map");
        let (at, len) = self.span(pages);
        NonNull::slice_from_raw_parts(at.cast(), len)
    }

    /// Gives the pages real memory, zeroed if they had none: an error here instead of a `SIGBUS` later.
    pub(super) fn populate(&self, pages: Range<u64>) -> Result<(), HostError> {
        if let Grain::Huge(some) = &self.grain {
            self.take_huge(&pages, some);
        }
        let doing = format!("get memory for the pages {pages:?}");
        self.advise(pages, MmapAdvise::MADV_POPULATE_WRITE).map_err(os(doing))
    }

    /// Takes the huge pages that lie in these pages, whatever the kernel is set to (`shmem_enabled`): a tenth of the time of
    /// as many small ones. What it refuses is left for small ones; when it has none, it is not asked again.
    fn take_huge(&self, pages: &Range<u64>, some: &AtomicBool) {
        let whole = pages.start.next_multiple_of(HUGE)..pages.end / HUGE * HUGE;
        for first in whole.step_by(index(HUGE)) {
            if !some.load(Ordering::Relaxed) {
                return;
            }
            // A huge page is put together from those that are there: one at least.
            let one = self.advise(first..first + 1, MmapAdvise::MADV_POPULATE_WRITE);
            match one.and_then(|()| self.collapse(first..first + HUGE)) {
                // Somebody else has to do with one of the pages just now.
                Ok(()) | Err(Errno::EAGAIN | Errno::EBUSY) => {}
                Err(_) => some.store(false, Ordering::Relaxed),
            }
        }
    }

    /// Makes one huge page of these pages.
    fn collapse(&self, pages: Range<u64>) -> Result<(), Errno> {
        let (at, len) = self.span(&pages);
        // SAFETY: the range lies in this map, and its content stays.
        Errno::result(unsafe { libc::madvise(at.as_ptr(), len, libc::MADV_COLLAPSE) }).map(drop)
    }

    /// Maps pages that have memory, so that whoever reads them does not fault: one fault maps all pages around it.
    /// `MADV_POPULATE_READ` would look at every page by itself, which takes three times as long.
    pub(super) fn map_for_reading(&self, pages: Range<u64>) {
        let inside = &self.pages()[index(pages.start)..index(pages.end)];
        inside.iter().step_by(FAULT_AROUND).for_each(GuestPage::touch);
    }

    /// Keeps pages in memory from their first touch on (true), or no longer (false).
    pub(super) fn lock_on_fault(&self, on: bool) -> Result<(), HostError> {
        let (at, len) = (self.at.as_ptr(), self.bytes.get());
        let answer = if on {
            // SAFETY: `mlock2` changes only whether this range may be swapped out.
            unsafe { libc::mlock2(at, len, libc::MLOCK_ONFAULT) }
        } else {
            // SAFETY: as above.
            unsafe { libc::munlock(at, len) }
        };
        Errno::result(answer).map(drop).map_err(os("lock the guest's memory"))
    }

    fn page_count(&self) -> u64 {
        self.pages().len() as u64
    }

    fn advise(&self, pages: Range<u64>, advice: MmapAdvise) -> Result<(), Errno> {
        let (at, len) = self.span(&pages);
        // SAFETY: the range lies in this map, and the kinds of advice that are given here never change content.
        unsafe { madvise(at, len, advice) }
    }

    /// The address and length of some pages.
    fn span(&self, pages: &Range<u64>) -> (NonNull<c_void>, usize) {
        let inside = &self.pages()[index(pages.start)..index(pages.end)];
        let at = NonNull::from(inside).cast::<c_void>();
        (at, size_of_val(inside))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: every slice into the map borrows `self`, so none is left. It cannot fail for a whole map.
        let _ = unsafe { munmap(self.at, self.bytes.get()) };
    }
}

/// Where a map of so many bytes could begin, for a huge page of the file to be one of the map. Should somebody else take
/// that range meanwhile, the kernel chooses another one, and the pages are small.
fn free_for_huge(bytes: NonZeroUsize) -> Option<NonZeroUsize> {
    let room = bytes.checked_add(HUGE_BYTES)?;
    // SAFETY: the kernel chooses a free range, so no other memory of this process changes.
    let at = unsafe { mmap_anonymous(None, room, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }.ok()?;
    // SAFETY: it is the range of just now, which nobody has seen.
    unsafe { munmap(at, room.get()) }.ok()?;
    NonZeroUsize::new(at.addr().get().checked_next_multiple_of(HUGE_BYTES)?)
}

/// A page number as a slice index.
pub(super) fn index(page: u64) -> usize {
    engine::Pfn(page).index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_maps_of_one_file_show_the_same_memory() {
        let memfd = Memfd::create("test", 4 * PAGE).unwrap();
        let writer = Mapping::new(&memfd, Access::ReadWrite).unwrap();
        let again = Memfd::of_process(std::process::id(), memfd.number(), 4 * PAGE, Access::Read).unwrap();
        let reader = Mapping::new(&again, Access::Read).unwrap();
        writer.words()[512].store(7, Ordering::Relaxed);
        let mut page = [0; PAGE_SIZE];
        reader.pages()[1].load(&mut page);
        assert_eq!(page[..8], 7u64.to_ne_bytes());
        memfd.punch(1..2).unwrap();
        reader.pages()[1].load(&mut page);
        assert_eq!(page, [0; PAGE_SIZE]);
    }

    #[test]
    fn a_part_shows_its_pages() {
        let memfd = Memfd::create("test", 4 * PAGE).unwrap();
        let whole = Mapping::new(&memfd, Access::ReadWrite).unwrap();
        whole.words()[2 * 512].store(7, Ordering::Relaxed);
        let part = Mapping::part(&memfd, Access::Read, 1..3).unwrap();
        let mut pages = [[1; PAGE_SIZE]; 2];
        part.pages().iter().zip(&mut pages).for_each(|(page, bytes)| page.load(bytes));
        assert_eq!((pages[0], &pages[1][..8]), ([0; PAGE_SIZE], &7u64.to_ne_bytes()[..]));
        assert!(Mapping::part(&memfd, Access::Read, 1..1).is_err());
    }

    #[test]
    fn memory_by_huge_pages_is_like_any_other() {
        /// Two and a half huge pages.
        const PAGES: u64 = 5 * HUGE / 2;
        let memfd = Memfd::create("test", PAGES * PAGE).unwrap();
        let map = Mapping::huge(&memfd).unwrap();
        map.words()[5 * 512].store(7, Ordering::Relaxed);
        map.populate(0..PAGES).unwrap();
        assert_eq!(memfd.allocated().unwrap(), PAGES * PAGE);
        assert_eq!(map.words().iter().map(|word| word.load(Ordering::Relaxed)).sum::<u64>(), 7);
        memfd.punch(3..HUGE + 3).unwrap();
        assert_eq!(memfd.allocated().unwrap(), (PAGES - HUGE) * PAGE);
        let again = Mapping::new(&memfd, Access::Read).unwrap();
        let mut page = [1; PAGE_SIZE];
        again.pages()[5].load(&mut page);
        assert_eq!(page, [0; PAGE_SIZE]);
    }

    #[test]
    fn a_huge_page_of_the_file_is_one_of_the_map() {
        /// Another thread may take the range first.
        const TRIES: usize = 20;
        let memfd = Memfd::create("test", HUGE * PAGE).unwrap();
        let aligned = || Mapping::huge(&memfd).unwrap().address().is_multiple_of(HUGE_BYTES as u64);
        assert!((0..TRIES).any(|_| aligned()));
    }

    #[test]
    fn a_file_of_another_size_or_kind_is_refused() {
        let memfd = Memfd::create("test", 4 * PAGE).unwrap();
        let pid = std::process::id();
        let wrong = Memfd::of_process(pid, memfd.number(), 5 * PAGE, Access::Read);
        assert!(wrong.unwrap_err().to_string().contains("has 16384 bytes, not 20480"));
        let null = File::open("/dev/null").unwrap();
        assert!(Memfd::of_process(pid, null.as_raw_fd(), PAGE, Access::Read).is_err());
        assert!(memfd.file.set_len(PAGE).is_err(), "the size is sealed");
    }
}
