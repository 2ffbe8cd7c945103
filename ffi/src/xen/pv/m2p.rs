//! Xen's own table of which guest page each machine frame is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::xen::domain::Domain;
use crate::xen::foreign::{Foreign, Mapping};
use crate::xen::handle::host_error;
use crate::xen::{Error, sys};

/// Bytes of a chunk of the table: Xen says where each 2 MiB of it are.
const CHUNK: u64 = 2 << 20;
const CHUNK_PAGES: u64 = CHUNK / stream::PAGE_SIZE as u64;
const ENTRY: u64 = size_of::<u64>() as u64;

/// The machine-to-physical table, mapped read only. It is current at any time.
#[derive(Debug)]
pub(super) struct M2p {
    table: Mapping,
    frames: u64,
}

impl M2p {
    pub(super) fn map(domain: &Domain, foreign: &Arc<Foreign>) -> Result<Self, Error> {
        let mut frames = 0;
        // SAFETY: one number to fill.
        let rc = unsafe { sys::xc_maximum_ram_page(domain.raw(), &raw mut frames) };
        domain.check("xc_maximum_ram_page", rc)?;
        let mut chunks = vec![0; stream::Pfn((frames * ENTRY).div_ceil(CHUNK)).index()];
        // SAFETY: as many elements as we say.
        let rc = unsafe { sys::xc_machphys_mfn_list(domain.raw(), chunks.len() as u64, chunks.as_mut_ptr()) };
        if rc != 0 {
            return Err(host_error("xc_machphys_mfn_list"));
        }
        let pages: Vec<u64> = chunks.iter().flat_map(|&mfn| mfn..mfn + CHUNK_PAGES).collect();
        Ok(Self { table: foreign.map(sys::DOMID_XEN, &pages)?, frames })
    }

    /// Whether the machine has RAM up to this frame.
    pub(super) fn is_frame(&self, mfn: u64) -> bool {
        0 < mfn && mfn < self.frames
    }

    /// The page that its owner calls this frame; anything when it has no PV owner.
    pub(super) fn get(&self, mfn: u64) -> Option<u64> {
        let slot = usize::try_from(mfn).ok().filter(|_| self.is_frame(mfn))?;
        self.table.words().get(slot).map(|entry| entry.load(Ordering::Relaxed))
    }
}
