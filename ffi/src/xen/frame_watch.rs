//! What the source and the tracker of a guest tell each other; above all, that an HVM or PVH guest got new frames.
//!
//! Xen does not tell which frame is behind a page of such a guest, and up to 4.18 it does not mark a page dirty that was
//! ballooned out and in again. What shows is the number of frames that the guest has: it grows when a page gets a new
//! one. A frame that we map is not freed, so as long as the whole guest is mapped the number cannot fall, and no growth
//! goes unseen. With pages mapped a batch at a time it can fall between two looks, and then only the looks
//! themselves, one a batch, catch a growth.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::PfnSet;
use stream::Pfn;

/// How many frames the guest has, and whether it runs, as seen by its source and by its tracker.
#[derive(Debug)]
pub(super) struct FrameWatch {
    last: AtomicU64,
    grown: AtomicBool,
    mapping_is_old: AtomicBool,
    suspended: AtomicBool,
    /// Pages that were read.
    read: Mutex<PfnSet>,
}

impl FrameWatch {
    /// Of a guest with so many pages; none was read yet.
    pub(super) fn new(pages: u64) -> Self {
        Self {
            last: AtomicU64::new(0),
            grown: AtomicBool::new(false),
            mapping_is_old: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            read: Mutex::new(PfnSet::empty(pages)),
        }
    }

    /// These pages were read; should the guest get new frames, each of them may be one.
    pub(super) fn add_read(&self, pfns: impl Iterator<Item = Pfn>) {
        let mut read = self.read();
        pfns.for_each(|pfn| {
            read.insert(pfn);
        });
    }

    fn read(&self) -> MutexGuard<'_, PfnSet> {
        // No panic leaves a set of bits half changed.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on a growth counts.
    pub(super) fn start(&self, tot_pages: u64) {
        self.last.store(tot_pages, Ordering::Relaxed);
        self.grown.store(false, Ordering::Relaxed);
    }

    /// A look at how many there are.
    pub(super) fn look(&self, tot_pages: u64) {
        if self.last.swap(tot_pages, Ordering::Relaxed) < tot_pages {
            self.grown.store(true, Ordering::Relaxed);
        }
    }

    /// After a growth since the last question, adds every page that was read: it may have changed without being
    /// dirty, and what is mapped may be a frame that the guest does not use any more.
    pub(super) fn add_suspects(&self, into: &mut PfnSet) {
        if self.grown.swap(false, Ordering::Relaxed) {
            self.mapping_is_old.store(true, Ordering::Relaxed);
            into.union(&self.read());
        }
    }

    /// The guest does not run any more.
    pub(super) fn suspended(&self) {
        self.suspended.store(true, Ordering::Relaxed);
    }

    /// Whether it was said that the guest does not run any more.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Relaxed)
    }

    /// Whether the whole guest must be mapped anew.
    pub(super) fn take_old_mapping(&self) -> bool {
        self.mapping_is_old.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspects(watch: &FrameWatch) -> u64 {
        let mut into = PfnSet::empty(8);
        watch.add_suspects(&mut into);
        into.len()
    }

    #[test]
    fn a_growth_is_told_once_and_a_loss_never() {
        let watch = FrameWatch::new(8);
        watch.add_read([Pfn(3), Pfn(5)].into_iter());
        watch.start(100);
        watch.look(100);
        watch.look(90);
        assert_eq!(suspects(&watch), 0);
        watch.look(91);
        watch.look(80);
        assert_eq!(suspects(&watch), 2, "it grew in between");
        assert_eq!(suspects(&watch), 0);
        assert!(watch.take_old_mapping());
        assert!(!watch.take_old_mapping());
    }
}
