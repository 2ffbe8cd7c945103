//! A digest of a guest's memory, the same whether it is taken from a guest at rest or page by page as a stream
//! arrives.
//!
//! Each page has its 128-bit XXH3; the whole is the XXH3 over `(pfn, page digest)` of every populated page in
//! ascending order, so a page in the wrong place, a lost page and a surplus page all show.

use stream::Pfn;
use twox_hash::XxHash3_128;

use crate::{PageBytes, PfnSet};

/// The digest of one page.
#[must_use]
pub fn page_digest(page: &PageBytes) -> u128 {
    XxHash3_128::oneshot(page)
}

/// The digests of a guest's pages, kept up to date as pages arrive and go.
#[derive(Clone, Debug)]
pub struct MemoryDigest {
    pages: Vec<u128>,
    populated: PfnSet,
}

impl MemoryDigest {
    /// No page yet, of a guest whose pfns are below `limit`.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { pages: vec![0; Pfn(limit).index()], populated: PfnSet::empty(limit) }
    }

    /// The page holds this now. A pfn at or above the limit is ignored.
    pub fn set(&mut self, pfn: Pfn, digest: u128) {
        if let Some(slot) = self.pages.get_mut(pfn.index()) {
            *slot = digest;
            self.populated.insert(pfn);
        }
    }

    /// The page has no memory any more.
    pub fn clear(&mut self, pfn: Pfn) {
        self.populated.remove(pfn);
    }

    /// Takes all pages of another one, of the same guest.
    pub(crate) fn absorb(&mut self, other: &Self) {
        other.populated.iter().for_each(|pfn| self.set(pfn, other.pages[pfn.index()]));
    }

    /// How many pages are populated.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.populated.len()
    }

    /// The digest of the whole.
    #[must_use]
    pub fn finish(&self) -> u128 {
        let mut hasher = XxHash3_128::new();
        for pfn in self.populated.iter() {
            hasher.write(&pfn.0.to_le_bytes());
            hasher.write(&self.pages[pfn.index()].to_le_bytes());
        }
        hasher.finish_128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pages: &[(u64, u128)]) -> u128 {
        let mut digest = MemoryDigest::new(8);
        for &(pfn, page) in pages {
            digest.set(Pfn(pfn), page);
        }
        digest.finish()
    }

    #[test]
    fn a_page_in_the_wrong_place_shows() {
        assert_ne!(of(&[(1, 7), (2, 9)]), of(&[(1, 9), (2, 7)]));
        assert_ne!(of(&[(1, 7)]), of(&[(2, 7)]));
        assert_ne!(of(&[(1, 7)]), of(&[(1, 7), (2, 0)]));
    }

    #[test]
    fn only_the_last_state_counts() {
        let mut digest = MemoryDigest::new(8);
        digest.set(Pfn(3), 1);
        digest.set(Pfn(3), 2);
        digest.set(Pfn(4), 5);
        digest.clear(Pfn(4));
        assert_eq!(digest.finish(), of(&[(3, 2)]));
        assert_eq!(digest.pages(), 1);
    }
}
