//! The balloon: gives pages back and takes them again, a chunk at a time, while the guest runs and is migrated.

use std::ops::Range;

use engine::Pfn;
use ffi::host::{GuestMemory, HostError, P2m};

use crate::random;

/// Pages that change hands while the vCPUs are held once: about a millisecond's work.
const CHUNK: u64 = 256;
/// The longest run of pages that changes hands at once; the holes that remain are scattered and ragged.
const MAX_RUN: u64 = 64;

/// How many pages shall be populated, and how the next ones are chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Balloon {
    pub(super) target: u64,
    pub(super) rng: u64,
}

impl Balloon {
    /// Moves up to [`CHUNK`] pages towards the target. The vCPUs must be held: a write to a page that is just
    /// given back would bring it to life again.
    pub(super) fn step(&mut self, memory: &GuestMemory, p2m: &P2m) -> Result<(), HostError> {
        let populated = p2m.len();
        let give = populated > self.target;
        let mut left = populated.abs_diff(self.target).min(CHUNK);
        while left > 0 {
            let run = self.choose(memory.pages().len() as u64, left, |page| p2m.contains(Pfn(page)) == give);
            left -= run.end - run.start;
            match give {
                true => memory.depopulate(p2m, run)?,
                false => memory.populate(p2m, run)?,
            }
        }
        Ok(())
    }

    /// A run of pages that may change hands, at most `limit`, at a random place. There must be at least one.
    fn choose(&mut self, pages: u64, limit: u64, may: impl Fn(u64) -> bool) -> Range<u64> {
        let from = random::below(&mut self.rng, pages);
        let length = 1 + random::below(&mut self.rng, MAX_RUN.min(limit));
        let start = (from..pages).chain(0..from).find(|&page| may(page)).unwrap_or(from);
        let end = (start + 1..pages.min(start + length)).find(|&page| !may(page));
        start..end.unwrap_or(pages.min(start + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn move_to(balloon: &mut Balloon, target: u64, memory: &GuestMemory, p2m: &P2m) {
        balloon.target = target;
        while p2m.len() != target {
            let before = p2m.len();
            balloon.step(memory, p2m).unwrap();
            assert!(p2m.len().abs_diff(before) <= CHUNK);
            assert!(p2m.len().abs_diff(target) < before.abs_diff(target));
        }
    }

    #[test]
    fn reaches_its_target_both_ways_and_new_pages_are_zero() {
        let (memory, p2m) = (GuestMemory::create(2000).unwrap(), P2m::create(2000).unwrap());
        memory.populate(&p2m, 0..2000).unwrap();
        let word = |page| &memory.words(Pfn(page))[511];
        (0..2000).for_each(|page| word(page).store(1, std::sync::atomic::Ordering::Relaxed));
        let mut balloon = Balloon { target: 2000, rng: 1 };
        move_to(&mut balloon, 700, &memory, &p2m);
        let kept: Vec<bool> = (0..2000).map(|page| p2m.contains(Pfn(page))).collect();
        let borders = kept.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(borders > 20, "{borders} borders: the holes are scattered");
        move_to(&mut balloon, 2000, &memory, &p2m);
        for page in 0..2000 {
            let expected = u64::from(kept[usize::try_from(page).unwrap()]);
            assert_eq!(word(page).load(std::sync::atomic::Ordering::Relaxed), expected, "page {page}");
        }
        move_to(&mut balloon, 1, &memory, &p2m);
    }
}
