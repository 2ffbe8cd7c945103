//! What is in a page: one number, from which all its bytes follow.

use engine::PageBytes;
use stream::{PAGE_SIZE, Pfn};

use crate::random;

/// Bytes in a word of a page.
const WORD: usize = 8;

/// The content of a page.
///
/// Word `i` of the page is the number times the `i`-th odd number: the first word is the number itself, 0 is the
/// zero page, and a page put together from two contents is the page of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content(pub u64);

impl Content {
    /// A page of zeros.
    pub const ZERO: Self = Self(0);

    /// What is in a page before the guest ever wrote it: another content for each page and seed.
    #[must_use]
    pub fn initial(seed: u64, pfn: Pfn) -> Self {
        Self(random::nth(seed, pfn.0.wrapping_add(1)))
    }

    /// All bytes of the page.
    #[must_use]
    pub fn bytes(self) -> PageBytes {
        let mut bytes = [0; PAGE_SIZE];
        for (word, odd) in bytes.as_chunks_mut::<WORD>().0.iter_mut().zip((1_u64..).step_by(2)) {
            *word = self.0.wrapping_mul(odd).to_le_bytes();
        }
        bytes
    }

    /// The content that has exactly these bytes, if there is one.
    #[must_use]
    pub fn of(bytes: &PageBytes) -> Option<Self> {
        let content = Self(u64::from_le_bytes(*bytes.first_chunk()?));
        (content.bytes() == *bytes).then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_back() {
        for content in [Content::ZERO, Content(1), Content(u64::MAX), Content::initial(7, Pfn(3))] {
            assert_eq!(Content::of(&content.bytes()), Some(content));
        }
        assert_eq!(Content::ZERO.bytes(), [0; PAGE_SIZE]);
    }

    #[test]
    fn one_wrong_byte_anywhere_shows() {
        for at in [0, 1, WORD, PAGE_SIZE / 2, PAGE_SIZE - 1] {
            let mut bytes = Content(12345).bytes();
            bytes[at] ^= 1;
            assert_eq!(Content::of(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn a_torn_page_shows() {
        let mut bytes = Content(1).bytes();
        bytes[PAGE_SIZE / 2..].copy_from_slice(&Content(2).bytes()[PAGE_SIZE / 2..]);
        assert_eq!(Content::of(&bytes), None);
    }

    #[test]
    fn bytes_in_the_wrong_place_show() {
        let mut bytes = Content(12345).bytes();
        let (first, second) = bytes[WORD..].split_at_mut(WORD);
        first.swap_with_slice(&mut second[..WORD]);
        assert_eq!(Content::of(&bytes), None);
    }

    #[test]
    fn initial_pages_differ() {
        let mut seen: Vec<_> =
            (0..3).flat_map(|seed| (0..100).map(move |pfn| Content::initial(seed, Pfn(pfn)))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 300);
    }
}
