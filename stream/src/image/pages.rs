//! How many pages of each type a stream holds, and how many of them more than once.

use std::collections::BTreeMap;

use crate::{PageEntry, PageType, Pfn};

/// Pages that one chunk of the record of seen pages covers; a chunk takes 4 KiB.
const CHUNK_PFNS: u64 = 1 << 15;
const WORD_BITS: u64 = 64;
const CHUNK_WORDS: usize = 512;

/// The most chunks, 64 MiB of memory: guests with pages scattered over more are counted without telling distinct
/// pages. It is enough for a guest of 2 TiB.
pub const MAX_CHUNKS: usize = 1 << 14;

/// The page entries of a stream, counted.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    types: BTreeMap<PageType, u64>,
    total: u64,
    highest: Option<Pfn>,
    seen: Seen,
}

impl Pages {
    /// Counts these entries.
    pub fn add(&mut self, entries: &[PageEntry]) {
        for entry in entries {
            *self.types.entry(entry.kind).or_default() += 1;
            self.total += 1;
            self.highest = self.highest.max(Some(entry.pfn));
            self.seen.add(entry.pfn);
        }
    }

    /// Entries of each type.
    #[must_use]
    pub fn types(&self) -> &BTreeMap<PageType, u64> {
        &self.types
    }

    /// All entries.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The highest page.
    #[must_use]
    pub fn highest(&self) -> Option<Pfn> {
        self.highest
    }

    /// How many different pages there are; `None` when they lie too far apart to be counted ([`MAX_CHUNKS`]).
    #[must_use]
    pub fn distinct(&self) -> Option<u64> {
        (!self.seen.overflow).then_some(self.seen.count)
    }

    /// How many entries are for a page that came before.
    #[must_use]
    pub fn sent_again(&self) -> Option<u64> {
        self.distinct().map(|distinct| self.total - distinct)
    }
}

/// A sparse bitmap of pages, of bounded size.
#[derive(Clone, Debug, Default)]
struct Seen {
    chunks: BTreeMap<u64, Box<[u64]>>,
    count: u64,
    overflow: bool,
}

impl Seen {
    fn add(&mut self, pfn: Pfn) {
        let (chunk, bit) = (pfn.0 / CHUNK_PFNS, pfn.0 % CHUNK_PFNS);
        if self.overflow || self.is_full_without(chunk) {
            self.overflow = true;
            self.chunks.clear();
            return;
        }
        let words = self.chunks.entry(chunk).or_insert_with(|| vec![0; CHUNK_WORDS].into());
        let word = &mut words[Pfn(bit / WORD_BITS).index()];
        let mask = 1 << (bit % WORD_BITS);
        self.count += u64::from(*word & mask == 0);
        *word |= mask;
    }

    fn is_full_without(&self, chunk: u64) -> bool {
        self.chunks.len() >= MAX_CHUNKS && !self.chunks.contains_key(&chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ram(pfn: u64) -> PageEntry {
        PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab }
    }

    #[test]
    fn a_page_sent_twice_is_one_distinct_page() {
        let mut pages = Pages::default();
        pages.add(&[ram(0), ram(CHUNK_PFNS), ram(0), PageEntry { pfn: Pfn(7), kind: PageType::XTab }]);
        assert_eq!((4, Some(3), Some(1)), (pages.total(), pages.distinct(), pages.sent_again()));
        assert_eq!(Some(Pfn(CHUNK_PFNS)), pages.highest());
        assert_eq!(Some(&3), pages.types().get(&PageType::NoTab));
    }

    #[test]
    fn scattered_pages_are_counted_but_not_remembered() {
        let mut pages = Pages::default();
        let scattered = MAX_CHUNKS as u64 + 1;
        (0..scattered).for_each(|i| pages.add(&[ram(i * CHUNK_PFNS)]));
        assert_eq!((scattered, None), (pages.total(), pages.distinct()));
        assert!(pages.seen.chunks.is_empty());
    }
}
