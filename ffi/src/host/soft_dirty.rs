//! Soft-dirty bits: the write log of kernels before 6.7 (`CONFIG_MEM_SOFT_DIRTY`).
//!
//! Bit 55 of a page's entry in `/proc/PID/pagemap` says that it was written since `4` was written to
//! `/proc/PID/clear_refs`. Reading and clearing are two steps, and a write between them would be lost: the guest
//! must be parked for a harvest. Swapping a page out loses its bit: the guest must keep its memory locked.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::HostError;
use super::error::os;
use super::map::PAGE;

/// Bytes in a pagemap entry.
const ENTRY: u64 = 8;
/// The soft-dirty bit of an entry.
const SOFT_DIRTY: u64 = 1 << 55;
/// Entries read at once: 512 KiB.
const CHUNK: u64 = 64 << 10;

/// The soft-dirty bits of a process.
#[derive(Debug)]
pub(super) struct SoftDirty {
    pagemap: File,
    clear_refs: String,
    entries: Vec<u8>,
}

impl SoftDirty {
    pub(super) fn open(pid: u32) -> Result<Self, HostError> {
        let path = format!("/proc/{pid}/pagemap");
        let pagemap = File::open(&path).map_err(os(format!("open {path}")))?;
        Ok(Self { pagemap, clear_refs: format!("/proc/{pid}/clear_refs"), entries: Vec::new() })
    }

    /// Calls `found` for each written page among these addresses.
    pub(super) fn read(
        &mut self,
        addresses: Range<u64>,
        mut found: impl FnMut(Range<u64>),
    ) -> Result<(), HostError> {
        let mut at = addresses.start / PAGE;
        let end = addresses.end / PAGE;
        while at < end {
            let count = CHUNK.min(end - at);
            self.entries.resize(super::map::index(count * ENTRY), 0);
            self.pagemap
                .read_exact_at(&mut self.entries, at * ENTRY)
                .map_err(os("read the guest's page map"))?;
            for (page, entry) in (at..).zip(self.entries.as_chunks::<8>().0) {
                if u64::from_ne_bytes(*entry) & SOFT_DIRTY != 0 {
                    found(page * PAGE..(page + 1) * PAGE);
                }
            }
            at += count;
        }
        Ok(())
    }

    /// Forgets the writes of the whole process.
    pub(super) fn clear(&self) -> Result<(), HostError> {
        fs::write(&self.clear_refs, "4").map_err(os(format!("write to {}", self.clear_refs)))
    }
}
