//! What pages are.

use stream::PageType;

use super::domain::Domain;
use super::{Error, sys};

/// The most that one hypercall takes (Xen's `getpageframeinfo3`).
pub(super) const MOST_AT_ONCE: usize = 1024;

impl Domain {
    /// The type of each of these frames.
    ///
    /// A frame that does not exist is [`PageType::XTab`]. A question about an HVM page that is populated on demand
    /// populates it.
    pub(super) fn frame_types(&self, frames: &[u64]) -> Result<Vec<PageType>, Error> {
        let mut types = Vec::with_capacity(frames.len());
        let mut raw = [0; MOST_AT_ONCE];
        for chunk in frames.chunks(MOST_AT_ONCE) {
            raw[..chunk.len()].copy_from_slice(chunk);
            let count = u32::try_from(chunk.len()).unwrap_or(0);
            // SAFETY: `raw` has at least `count` elements.
            let rc = unsafe { sys::xc_get_pfn_type_batch(self.raw(), self.domid, count, raw.as_mut_ptr()) };
            self.check("xc_get_pfn_type_batch", rc)?;
            for (&raw, &frame) in raw.iter().zip(chunk) {
                types.push(self.page_type(raw, frame)?);
            }
        }
        Ok(types)
    }

    fn page_type(&self, raw: u64, frame: u64) -> Result<PageType, Error> {
        let nibble = raw >> sys::XEN_DOMCTL_PFINFO_LTAB_SHIFT & 0xf;
        let known = u8::try_from(nibble).ok().and_then(PageType::from_nibble);
        known.ok_or_else(|| self.fault(format!("frame {frame:#x} has the unknown type {raw:#x}")))
    }
}
