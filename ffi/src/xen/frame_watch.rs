//! What the source and the tracker of a guest tell each other; above all, that an HVM or PVH guest got new frames.
//!
//! Xen does not tell which frame is behind a page of such a guest, and up to 4.18 it does not mark a page dirty that was
//! ballooned out and in again. What shows is the number of frames that the guest has: it grows when a page gets a new
//! one. A frame that we map is not freed, so as long as the whole guest is mapped the number cannot fall, and no growth
//! goes unseen; nor one from the time when it was only partly mapped, for at the end a frame that was given back and is
//! still mapped is one more than the guest has pages. With pages mapped a batch at a time the number can fall between
//! two looks, and then only the looks themselves, one every few milliseconds ([`super::sampler`]), catch a growth.
//!
//! Once every frame is known to be behind a page, none can have got a new one as long as the number stays: a look at all
//! pages of the suspended guest, which takes the longer the larger it is, would find nothing new.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::PfnSet;
use stream::Pfn;

use super::layout::Layout;

/// How many frames the guest has, and whether it runs, as seen by its source and by its tracker.
#[derive(Debug)]
pub(super) struct FrameWatch {
    last: AtomicU64,
    grown: AtomicBool,
    mapping_is_old: AtomicBool,
    /// The fewest [`Layout::unaccounted`] frames when the whole guest was mapped.
    unaccounted: AtomicU64,
    suspended: AtomicBool,
    settled: Mutex<Option<Arc<Layout>>>,
    still: Mutex<Option<Arc<Layout>>>,
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
            unaccounted: AtomicU64::new(u64::MAX),
            suspended: AtomicBool::new(false),
            settled: Mutex::new(None),
            still: Mutex::new(None),
            read: Mutex::new(PfnSet::empty(pages)),
        }
    }

    /// These pages were read; should the guest get new frames, each of them may be one.
    pub(super) fn add_read(&self, pfns: impl Iterator<Item = Pfn>) {
        let mut read = lock(&self.read);
        pfns.for_each(|pfn| {
            read.insert(pfn);
        });
    }

    /// From here on a growth counts.
    pub(super) fn start(&self, tot_pages: u64) {
        self.last.store(tot_pages, Ordering::Relaxed);
        self.grown.store(false, Ordering::Relaxed);
    }

    /// A look at how many there are.
    pub(super) fn look(&self, tot_pages: u64) {
        let last = self.last.swap(tot_pages, Ordering::Relaxed);
        if last < tot_pages {
            self.grown.store(true, Ordering::Relaxed);
        }
        if last != tot_pages {
            *lock(&self.settled) = None;
        }
    }

    /// Whether a look at all pages would tell what they are for as long as the number of frames stays.
    pub(super) fn may_settle(&self) -> bool {
        let changing = self.grown.load(Ordering::Relaxed) || self.mapping_is_old.load(Ordering::Relaxed);
        !changing && self.settled().is_none() && !lock(&self.read).is_empty()
    }

    /// What the pages were when the guest had so many frames, unless it has others by now, or frames that are none of
    /// its pages.
    pub(super) fn settle(&self, layout: Layout, tot_pages: u64) {
        let mut settled = lock(&self.settled);
        if layout.unaccounted() == 0 && self.last.load(Ordering::Relaxed) == tot_pages {
            *settled = Some(Arc::new(layout));
        }
    }

    /// What the pages are, but for those that the guest gave back since; nothing when that is not known.
    pub(super) fn settled(&self) -> Option<Arc<Layout>> {
        lock(&self.settled).clone()
    }

    /// After a growth since the last question, adds every page that was read: it may have changed without being
    /// dirty, and what is mapped may be a frame that the guest does not use any more.
    pub(super) fn add_suspects(&self, into: &mut PfnSet) {
        if self.grown.swap(false, Ordering::Relaxed) {
            self.mapping_is_old.store(true, Ordering::Relaxed);
            into.union(&lock(&self.read));
        }
    }

    /// The whole guest is mapped; so many frames were none of its pages.
    pub(super) fn mapped(&self, unaccounted: u64) {
        self.unaccounted.fetch_min(unaccounted, Ordering::Relaxed);
    }

    /// The guest does not run any more.
    pub(super) fn suspended(&self) {
        self.suspended.store(true, Ordering::Relaxed);
    }

    /// What its pages are now, for good. Frames that are none of them, more than when it was mapped, are those that
    /// it exchanged for others.
    pub(super) fn found_still(&self, layout: Layout) {
        if layout.unaccounted() > self.unaccounted.load(Ordering::Relaxed) {
            self.grown.store(true, Ordering::Relaxed);
        }
        *lock(&self.still) = Some(Arc::new(layout));
    }

    /// What was found.
    pub(super) fn still(&self) -> Option<Arc<Layout>> {
        lock(&self.still).clone()
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves what is in here half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn what_the_pages_are_is_known_until_the_number_of_frames_changes() {
        let layout = || Layout::full(8);
        let watch = FrameWatch::new(8);
        watch.start(8);
        assert!(!watch.may_settle(), "nothing was read");
        watch.add_read([Pfn(3)].into_iter());
        assert!(watch.may_settle());
        watch.settle(layout(), 9);
        assert!(watch.settled().is_none(), "it had 9 frames then, and has 8");
        watch.settle(layout(), 8);
        watch.look(8);
        assert!(watch.settled().is_some() && !watch.may_settle());
        watch.look(7);
        assert!(watch.settled().is_none());
        watch.look(8);
        assert!(!watch.may_settle(), "it grew");
        assert_eq!(suspects(&watch), 1);
        assert!(!watch.may_settle(), "what is mapped may be old");
        assert!(watch.take_old_mapping() && watch.may_settle());
    }
}
