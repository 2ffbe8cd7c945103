//! A page of a guest that may be writing to it right now.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use stream::PAGE_SIZE;

const WORDS: usize = PAGE_SIZE / 8;

/// One page, copied out.
pub type PageBytes = [u8; PAGE_SIZE];

/// Guest memory, read only: the guest may write to it at any moment, so it is never a `&[u8]`.
///
/// Reads are relaxed 64-bit loads: a page read while its guest writes may be torn, and is then dirty and sent
/// again. Nothing here writes.
#[repr(transparent)]
#[derive(Debug)]
pub struct GuestPage([AtomicU64; WORDS]);

impl GuestPage {
    /// A page of our own with this content: for page tables that are sent in a rewritten form, and for tests.
    #[must_use]
    pub fn from_bytes(bytes: &PageBytes) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter();
        Self(std::array::from_fn(|_| AtomicU64::new(words.next().map_or(0, |w| u64::from_ne_bytes(*w)))))
    }

    /// Copies the page out.
    pub fn load(&self, out: &mut PageBytes) {
        for (word, bytes) in self.0.iter().zip(out.as_chunks_mut::<8>().0) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
    }

    /// Reads a word of it, so that its memory is mapped.
    pub fn touch(&self) {
        black_box(self.0[0].load(Ordering::Relaxed));
    }

    /// Where the page is in this process, for a system call that reads it.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_gives_back_what_went_in() {
        let mut bytes = [0; PAGE_SIZE];
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = u8::try_from(i % 251).unwrap();
        }
        let mut out = [0; PAGE_SIZE];
        GuestPage::from_bytes(&bytes).load(&mut out);
        assert_eq!(bytes, out);
    }
}
