//! The kernel's own count of the pages that this process writes.

use std::ops::Range;
use std::sync::Arc;

use super::map::PAGE;
use super::pagemap::{Pagemap, Scan};
use super::protocol::TrackerKind;
use super::{GuestMemory, HostError, Tracking};

/// Counts the pages of a memory of this process that are written, by [`TrackerKind::WpAsync`].
#[derive(Debug)]
pub struct OwnLog {
    #[expect(dead_code, reason = "held for its Drop, which ends the log")]
    tracking: Tracking,
    pagemap: Pagemap,
    addresses: Range<u64>,
}

impl OwnLog {
    /// Begins to log.
    ///
    /// # Errors
    /// [`HostError::Os`] when this kernel cannot (before Linux 6.7).
    pub fn start(memory: &Arc<GuestMemory>) -> Result<Self, HostError> {
        let tracking = Tracking::start(TrackerKind::WpAsync, memory)?;
        let pagemap = Pagemap::open(std::process::id())?;
        let start = memory.address();
        let addresses = start..start + memory.pages().len() as u64 * PAGE;
        Ok(Self { tracking, pagemap, addresses })
    }

    /// How many pages were written since the last call; one that was written often counts once.
    ///
    /// # Errors
    /// [`HostError::Os`].
    pub fn take(&mut self) -> Result<u64, HostError> {
        let mut pages = 0;
        let count = |run: Range<u64>| pages += (run.end - run.start) / PAGE;
        self.pagemap.scan(self.addresses.clone(), Scan::GetAndClear, count)?;
        Ok(pages)
    }
}
