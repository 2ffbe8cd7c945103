//! The memory of a guest that is being built, as every thread has it that writes to it.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{BoxError, PageBytes, PageEntry, Pfn, TargetMemory};

use super::ahead::Ahead;
use super::{GuestMemory, HostError, P2m};

/// One thread's handle. The threads write different pages.
#[derive(Clone, Debug)]
pub(super) struct Arriving {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    memory: Arc<GuestMemory>,
    p2m: P2m,
    ahead: Ahead,
    pages: u64,
    /// Whether a page that had memory has lost it.
    punched: AtomicBool,
}

impl Arriving {
    /// Memory for a guest of this many pages.
    pub(super) fn create(pages: u64) -> Result<Self, HostError> {
        let memory = Arc::new(GuestMemory::to_be_filled(pages)?);
        let p2m = P2m::create(pages)?;
        let ahead = Ahead::start(Arc::clone(&memory), pages)?;
        let punched = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { memory, p2m, ahead, pages, punched }) })
    }

    /// The descriptors of the memory and of the p2m.
    pub(super) fn descriptors(&self) -> (i32, i32) {
        (self.shared.memory.descriptor(), self.shared.p2m.descriptor())
    }

    /// Gives every page memory, before any comes.
    pub(super) fn reserve(&self) -> Result<(), HostError> {
        self.shared.ahead.take_all()
    }

    /// No more pages come: what was taken beforehand for pages that have no memory is given back.
    pub(super) fn complete(&self) -> Result<(), HostError> {
        let Shared { memory, p2m, ahead, pages, .. } = &*self.shared;
        ahead.end();
        if p2m.len() == *pages {
            return Ok(());
        }
        let holes = (0..*pages).map(Pfn).filter(|&pfn| !p2m.contains(pfn));
        runs(holes).try_for_each(|run| memory.release(run))
    }

    fn take_memory(&self, run: &Range<u64>) -> Result<(), HostError> {
        let Shared { memory, ahead, punched, .. } = &*self.shared;
        if punched.load(Ordering::Relaxed) { memory.take(run.clone()) } else { ahead.came(run) }
    }

    /// Reads straight into the memory.
    fn read_from(&self, run: &Range<u64>, data: &mut dyn Read) -> io::Result<()> {
        // SAFETY: the guest's process has the memory mapped but has no state and so no running vCPU before it is complete;
        // nobody else has the memory file, and no two lanes of a restore have a page in common, which the engine checks.
        unsafe { self.shared.memory.read_from(run, data) }
    }
}

impl TargetMemory for Arriving {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        for run in runs(pfns.iter().copied()) {
            self.take_memory(&run)?;
            self.shared.p2m.insert(run);
        }
        Ok(())
    }

    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        for run in runs(pfns.iter().copied()) {
            self.shared.punched.store(true, Ordering::Relaxed);
            self.shared.memory.depopulate(&self.shared.p2m, run)?;
        }
        Ok(())
    }

    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError> {
        runs(pages.iter().map(|page| page.pfn)).try_for_each(|run| self.read_from(&run, data))?;
        Ok(())
    }

    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError> {
        let missing = || HostError::Unfit(format!("a read of the absent page {}", page.pfn));
        self.shared.memory.pages().get(page.pfn.index()).ok_or_else(missing)?.load(out);
        Ok(())
    }
}

/// The runs of adjacent pages, in order.
fn runs(pfns: impl Iterator<Item = Pfn>) -> impl Iterator<Item = Range<u64>> {
    let mut pfns = pfns.peekable();
    std::iter::from_fn(move || {
        let first = pfns.next()?.0;
        let mut end = first + 1;
        while pfns.next_if(|pfn| pfn.0 == end).is_some() {
            end += 1;
        }
        Some(first..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_follow_the_order_given() {
        let pfns = [3, 4, 9, 8, 7, 8].map(Pfn);
        assert_eq!(runs(pfns.into_iter()).collect::<Vec<_>>(), [3..5, 9..10, 8..9, 7..9]);
    }
}
