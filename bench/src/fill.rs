//! What a new guest's memory holds: from nothing but a seed, so that it can be made again anywhere.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{PAGE_SIZE, Pfn};
use ffi::host::GuestMemory;
use rayon::prelude::*;

use crate::{Error, random};

/// Pages of the same content kind in a mixed guest: 256 KiB, the scale of buffers and files.
const MIX_RUN: u64 = 64;
/// The words of a text page, each as long as a machine word: four bits of content in 64.
const WORDS: [&[u8; 8]; 16] = [
    b"migrate ",
    b"machine ",
    b"network ",
    b"process ",
    b"storage ",
    b"virtual ",
    b"balloon ",
    b"suspend ",
    b"restore ",
    b"channel ",
    b"harvest ",
    b"tracker ",
    b"another ",
    b"because ",
    b"between ",
    b"through ",
];

/// The kinds of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Random words: cannot be compressed.
    Random,
    /// Words of English: can be compressed.
    Text,
    /// Zeros.
    Zero,
    /// Runs of the three others.
    Mixed,
}

impl FromStr for Fill {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "random" => Ok(Self::Random),
            "text" => Ok(Self::Text),
            "zero" => Ok(Self::Zero),
            "mixed" => Ok(Self::Mixed),
            _ => Err(Error::Fill(word.to_owned())),
        }
    }
}

impl Fill {
    /// Writes every page of a guest's memory, which must be populated and zeroed.
    pub fn write(self, memory: &GuestMemory, seed: u64) {
        let pages = memory.pages().len() as u64;
        (0..pages).into_par_iter().for_each(|page| self.write_page(memory.words(Pfn(page)), seed, page));
    }

    fn write_page(self, words: &[AtomicU64], seed: u64, page: u64) {
        let mut rng = random::fork(seed, page);
        match self {
            Self::Random => words.iter().for_each(|w| w.store(random::next(&mut rng), Ordering::Relaxed)),
            Self::Text => write_text(words, &mut rng),
            Self::Zero => {}
            Self::Mixed => mixed(seed, page / MIX_RUN).write_page(words, seed, page),
        }
    }
}

/// Writes the same content as [`Fill::Random`] of a guest to plain memory of whole pages.
pub fn write_random(bytes: &mut [u8], seed: u64) {
    /// Bytes in a word.
    const WORD: usize = 8;
    bytes.par_chunks_mut(PAGE_SIZE).enumerate().for_each(|(number, page)| {
        let mut rng = random::fork(seed, number as u64);
        page.chunks_exact_mut(WORD)
            .for_each(|word| word.copy_from_slice(&random::next(&mut rng).to_ne_bytes()));
    });
}

/// The kind of a run of a mixed guest.
fn mixed(seed: u64, run: u64) -> Fill {
    match random::below(&mut random::fork(!seed, run), 3) {
        0 => Fill::Random,
        1 => Fill::Text,
        _ => Fill::Zero,
    }
}

fn write_text(words: &[AtomicU64], rng: &mut u64) {
    /// Choices of four bits in a random word.
    const CHOICES: usize = 16;
    for sentence in words.chunks(CHOICES) {
        let mut choices = random::next(rng);
        for word in sentence {
            let text = WORDS[usize::from(choices.to_le_bytes()[0]) % CHOICES];
            word.store(u64::from_ne_bytes(*text), Ordering::Relaxed);
            choices /= CHOICES as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(fill: Fill, seed: u64, page: u64) -> Vec<u64> {
        let words: Vec<_> = (0..PAGE_SIZE / 8).map(|_| AtomicU64::new(0)).collect();
        fill.write_page(&words, seed, page);
        words.into_iter().map(AtomicU64::into_inner).collect()
    }

    #[test]
    fn content_depends_on_seed_and_page_alone() {
        for fill in [Fill::Random, Fill::Text] {
            assert_eq!(page(fill, 1, 5), page(fill, 1, 5));
            assert_ne!(page(fill, 1, 5), page(fill, 1, 6));
            assert_ne!(page(fill, 1, 5), page(fill, 2, 5));
        }
    }

    #[test]
    fn text_is_text_to_the_end() {
        let bytes: Vec<u8> = page(Fill::Text, 3, 9).into_iter().flat_map(u64::to_ne_bytes).collect();
        assert!(bytes.iter().all(|b| b.is_ascii_lowercase() || *b == b' '));
    }

    #[test]
    fn a_mixed_guest_has_all_three() {
        let zero = |p: u64| page(Fill::Mixed, 1, p).iter().all(|&w| w == 0);
        let text = |p: u64| page(Fill::Mixed, 1, p) == page(Fill::Text, 1, p);
        let random = |p: u64| page(Fill::Mixed, 1, p) == page(Fill::Random, 1, p);
        let runs = || (0..100).map(|run| run * MIX_RUN);
        assert!(runs().all(|p| zero(p) || text(p) || random(p)));
        assert!(runs().any(zero) && runs().any(text) && runs().any(random));
    }
}
