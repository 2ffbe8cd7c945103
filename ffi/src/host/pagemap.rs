//! `PAGEMAP_SCAN`: reads, and renews, the write protection of another process's pages in one atomic step.
//!
//! Numbers and structures are those of `linux/fs.h` (Linux 6.7).

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::HostError;
use super::error::os;

/// `PM_SCAN_WP_MATCHING`: protect again what is reported.
const WP_MATCHING: u64 = 1 << 0;
/// `PM_SCAN_CHECK_WPASYNC`: fail where the memory is not under asynchronous write protection.
const CHECK_WPASYNC: u64 = 1 << 1;
/// `PAGE_IS_WRITTEN`.
const WRITTEN: u64 = 1 << 1;
/// How many runs one call may report: 96 KiB of them.
const REGIONS: usize = 4096;

/// `struct page_region`: a run of pages of the same kind.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
struct ScanArg {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

nix::ioctl_readwrite!(pagemap_scan, b'f', 16, ScanArg);

/// What a scan does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// Reports it and protects it again, in one step.
    GetAndClear,
    /// Only reports it.
    Peek,
}

/// The page map of a process whose memory is under a [`super::userfaultfd::WriteLog`].
#[derive(Debug)]
pub(super) struct Pagemap {
    file: File,
    regions: Vec<Region>,
}

impl Pagemap {
    pub(super) fn open(pid: u32) -> Result<Self, HostError> {
        let path = format!("/proc/{pid}/pagemap");
        let file = File::open(&path).map_err(os(format!("open {path}")))?;
        Ok(Self { file, regions: vec![Region::default(); REGIONS] })
    }

    /// Calls `found` for each run of written pages among these addresses.
    pub(super) fn scan(
        &mut self,
        addresses: Range<u64>,
        how: Scan,
        mut found: impl FnMut(Range<u64>),
    ) -> Result<(), HostError> {
        let mut at = addresses.start;
        while at < addresses.end {
            let (count, walked) = self.scan_once(at..addresses.end, how)?;
            self.regions[..count].iter().for_each(|r| found(r.start..r.end));
            at = walked;
        }
        Ok(())
    }

    /// One call: how many regions were found, and up to which address.
    fn scan_once(&mut self, addresses: Range<u64>, how: Scan) -> Result<(usize, u64), HostError> {
        // Exactly this pair of masks, because with any other the kernel takes a written page that is swapped out, and so has
        // no entry, for one that was not written.
        let mut arg = ScanArg {
            size: size_of::<ScanArg>() as u64,
            flags: CHECK_WPASYNC | if how == Scan::GetAndClear { WP_MATCHING } else { 0 },
            start: addresses.start,
            end: addresses.end,
            walk_end: 0,
            vec: self.regions.as_mut_ptr().expose_provenance() as u64,
            vec_len: self.regions.len() as u64,
            max_pages: 0,
            category_inverted: 0,
            category_mask: WRITTEN,
            category_anyof_mask: 0,
            return_mask: WRITTEN,
        };
        // SAFETY: the structure has the layout that the kernel reads and writes; `vec` is our own array of `vec_len`
        // regions, mutably borrowed during the call.
        let count = unsafe { pagemap_scan(self.file.as_raw_fd(), &raw mut arg) };
        let count = count.map_err(os("scan the guest's pages for writes (PAGEMAP_SCAN)"))?;
        let count = usize::try_from(count).unwrap_or(0).min(self.regions.len());
        if arg.walk_end <= addresses.start {
            return Err(HostError::Proof("a scan of the guest's pages made no progress"));
        }
        Ok((count, arg.walk_end))
    }
}
