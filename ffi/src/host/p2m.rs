//! The p2m of a host guest: which pages have memory, and which changed that lately (the balloon log).
//!
//! A memory file of two bitmaps, one bit a pfn, in 64-bit words of this machine: first the populated pages, then
//! the log. The guest and whoever migrates it share the file. A page changes first and is logged afterwards, so
//! whoever takes it from the log sees what it has become.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{Pfn, PfnSet};

use super::HostError;
use super::map::{Access, Mapping, Memfd, PAGE, index};

/// Bits in a word.
const BITS: u64 = 64;

/// A guest's p2m.
#[derive(Debug)]
pub struct P2m {
    map: Mapping,
    memfd: Memfd,
    pages: u64,
}

impl P2m {
    /// A p2m of `pages` pages, none populated.
    ///
    /// # Errors
    /// [`HostError::Os`].
    pub fn create(pages: u64) -> Result<Self, HostError> {
        Self::map(Memfd::create("xc-guest p2m", file_size(pages))?, pages)
    }

    /// The p2m that is descriptor `fd` of process `pid`.
    pub(super) fn of_process(pid: u32, fd: i32, pages: u64) -> Result<Self, HostError> {
        Self::map(Memfd::of_process(pid, fd, file_size(pages), Access::ReadWrite)?, pages)
    }

    fn map(memfd: Memfd, pages: u64) -> Result<Self, HostError> {
        Ok(Self { map: Mapping::new(&memfd, Access::ReadWrite)?, memfd, pages })
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.memfd.number()
    }

    /// Whether the page has memory; false beyond the last.
    #[must_use]
    pub fn contains(&self, pfn: Pfn) -> bool {
        pfn.0 < self.pages
            && self.populated()[index(pfn.0 / BITS)].load(Ordering::Acquire) >> (pfn.0 % BITS) & 1 == 1
    }

    /// How many pages have memory.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.populated().iter().map(|w| u64::from(w.load(Ordering::Relaxed).count_ones())).sum()
    }

    /// The pages that have memory.
    pub(super) fn pages(&self) -> PfnSet {
        let mut pages = PfnSet::empty(self.pages);
        let words = self.populated().iter().enumerate();
        words.for_each(|(i, word)| pages.union_word(i, word.load(Ordering::Acquire)));
        pages
    }

    /// Whether no page has memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pages have memory now.
    pub fn insert(&self, run: Range<u64>) {
        self.each_word(run, |word, bits| {
            self.populated()[word].fetch_or(bits, Ordering::Release);
        });
    }

    /// The pages have no memory any more.
    pub fn remove(&self, run: Range<u64>) {
        self.each_word(run, |word, bits| {
            self.populated()[word].fetch_and(!bits, Ordering::Release);
        });
    }

    /// Logs that these pages got or lost their memory; to be called after they did.
    pub fn log(&self, run: Range<u64>) {
        self.each_word(run, |word, bits| {
            self.changed()[word].fetch_or(bits, Ordering::Release);
        });
    }

    /// Adds the logged pages to `into`, and forgets them.
    pub(super) fn take_log(&self, into: &mut PfnSet) {
        self.read_log(into, |word| match word.load(Ordering::Relaxed) {
            // Most words are always zero, and a swap would write to them.
            0 => 0,
            _ => word.swap(0, Ordering::AcqRel),
        });
    }

    /// Adds the logged pages to `into`.
    pub(super) fn peek_log(&self, into: &mut PfnSet) {
        self.read_log(into, |word| word.load(Ordering::Acquire));
    }

    fn read_log(&self, into: &mut PfnSet, read: impl Fn(&AtomicU64) -> u64) {
        for (i, word) in self.changed().iter().enumerate() {
            match read(word) {
                0 => {}
                bits => into.union_word(i, bits),
            }
        }
    }

    fn populated(&self) -> &[AtomicU64] {
        &self.map.words()[..index(self.words())]
    }

    fn changed(&self) -> &[AtomicU64] {
        &self.map.words()[index(self.words())..index(2 * self.words())]
    }

    fn words(&self) -> u64 {
        self.pages.div_ceil(BITS)
    }

    /// Splits a run of pages into words and the bits of it in each.
    fn each_word(&self, run: Range<u64>, mut f: impl FnMut(usize, u64)) {
        let end = run.end.min(self.pages);
        let mut at = run.start;
        while at < end {
            let stop = (at / BITS * BITS + BITS).min(end);
            f(index(at / BITS), (u64::MAX >> (BITS - (stop - at))) << (at % BITS));
            at = stop;
        }
    }
}

/// Two bitmaps, rounded up to whole pages.
fn file_size(pages: u64) -> u64 {
    (2 * 8 * pages.div_ceil(BITS)).next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cross_words_and_end_at_the_limit() {
        let p2m = P2m::create(130).unwrap();
        p2m.insert(60..200);
        assert_eq!(p2m.len(), 70);
        p2m.remove(63..66);
        let left: Vec<u64> = (0..200).filter(|&p| p2m.contains(Pfn(p))).collect();
        assert_eq!(left, (60..63).chain(66..130).collect::<Vec<_>>());
        assert_eq!(p2m.pages().iter().map(|pfn| pfn.0).collect::<Vec<_>>(), left);
    }

    #[test]
    fn the_log_is_taken_once_and_peeked_often() {
        let p2m = P2m::create(130).unwrap();
        p2m.log(127..130);
        let mut seen = PfnSet::empty(130);
        p2m.peek_log(&mut seen);
        assert_eq!(seen.len(), 3);
        seen.clear();
        p2m.take_log(&mut seen);
        assert_eq!(seen.iter().collect::<Vec<_>>(), [Pfn(127), Pfn(128), Pfn(129)]);
        seen.clear();
        p2m.take_log(&mut seen);
        assert!(seen.is_empty());
    }
}
