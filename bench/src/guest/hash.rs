//! The digest of the guest's memory.

use engine::digest::{MemoryDigest, page_digest};
use engine::{PAGE_SIZE, Pfn};
use ffi::host::protocol::GuestHash;
use ffi::host::{GuestMemory, P2m};
use rayon::prelude::*;

/// The digest of all populated pages; the vCPUs must be held.
pub(super) fn digest(memory: &GuestMemory, p2m: &P2m) -> GuestHash {
    let pages = memory.pages();
    let limit = pages.len() as u64;
    let populated: Vec<Pfn> = (0..limit).map(Pfn).filter(|&pfn| p2m.contains(pfn)).collect();
    let digests = populated.par_iter().map(|pfn| {
        let mut bytes = [0; PAGE_SIZE];
        pages[pfn.index()].load(&mut bytes);
        page_digest(&bytes)
    });
    let digests: Vec<u128> = digests.collect();

    let mut whole = MemoryDigest::new(limit);
    populated.iter().zip(digests).for_each(|(&pfn, digest)| whole.set(pfn, digest));
    GuestHash { digest: format!("{:032x}", whole.finish()), populated: whole.pages() }
}
