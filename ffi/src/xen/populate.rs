//! Giving a domain memory, and taking it away.

use super::domain::Domain;
use super::{Error, sys};

/// The most frames of one call: as upstream's batches, so that no hypercall takes long.
const MOST_AT_ONCE: usize = 1024;
/// One 4 KiB page an extent.
const ORDER_4K: u32 = 0;

impl Domain {
    /// Gives these pages memory. For PV each pfn is replaced by the machine frame that it got; for HVM and PVH
    /// they stay as they are.
    pub(super) fn populate_frames(&self, frames: &mut [u64]) -> Result<(), Error> {
        for chunk in frames.chunks_mut(MOST_AT_ONCE) {
            // SAFETY: as many elements as we say.
            let rc = unsafe {
                sys::xc_domain_populate_physmap_exact(
                    self.raw(),
                    self.domid,
                    chunk.len() as u64,
                    ORDER_4K,
                    0,
                    chunk.as_mut_ptr(),
                )
            };
            self.check("xc_domain_populate_physmap_exact", rc)?;
        }
        Ok(())
    }

    /// Takes the memory of these frames (PV: machine frames) away.
    pub(super) fn remove_frames(&self, frames: &mut [u64]) -> Result<(), Error> {
        for chunk in frames.chunks_mut(MOST_AT_ONCE) {
            // SAFETY: as many elements as we say.
            let rc = unsafe {
                sys::xc_domain_decrease_reservation_exact(
                    self.raw(),
                    self.domid,
                    chunk.len() as u64,
                    ORDER_4K,
                    chunk.as_mut_ptr(),
                )
            };
            self.check("xc_domain_decrease_reservation_exact", rc)?;
        }
        Ok(())
    }
}
