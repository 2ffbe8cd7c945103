//! The memory of a guest that is being built, as every thread has it that writes to it.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{BoxError, PAGE_SIZE, PageBytes, PageEntry, Pfn, TargetMemory};

use super::ahead::Ahead;
use super::map::index;
use super::{GuestMemory, HostError, P2m};

/// Pages that are read from the stream at once: 256 KiB, which stay in a processor's own cache until they are written to
/// the memory.
const BUFFER: u64 = 64;

/// One thread's handle. The threads write different pages.
#[derive(Debug)]
pub(super) struct Arriving {
    shared: Arc<Shared>,
    /// Where page data are between the stream and the memory: [`BUFFER`] pages.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    memory: GuestMemory,
    p2m: P2m,
    ahead: Ahead,
    pages: u64,
    /// Whether all pages have memory and are mapped, those too that the stream says nothing of.
    reserved: AtomicBool,
    /// Whether a page that had memory has lost it.
    punched: AtomicBool,
}

impl Arriving {
    /// Memory for a guest of this many pages.
    pub(super) fn create(pages: u64) -> Result<Self, HostError> {
        let memory = GuestMemory::create(pages)?;
        let p2m = P2m::create(pages)?;
        let ahead = Ahead::start(memory.file()?, pages)?;
        let (reserved, punched) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self::of(Arc::new(Shared { memory, p2m, ahead, pages, reserved, punched })))
    }

    fn of(shared: Arc<Shared>) -> Self {
        Self { shared, buffer: vec![0; index(BUFFER) * PAGE_SIZE] }
    }

    /// The same for another thread.
    pub(super) fn again(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }

    /// The descriptors of the memory and of the p2m.
    pub(super) fn descriptors(&self) -> (i32, i32) {
        (self.shared.memory.descriptor(), self.shared.p2m.descriptor())
    }

    /// Gives every page memory, before any comes.
    pub(super) fn reserve(&self) -> Result<(), HostError> {
        self.shared.memory.reserve()?;
        self.shared.reserved.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// No more pages come: what was taken beforehand for pages that have no memory is given back.
    pub(super) fn complete(&self) -> Result<(), HostError> {
        let Shared { memory, p2m, ahead, pages, .. } = &*self.shared;
        ahead.end()?;
        if p2m.len() == *pages {
            return Ok(());
        }
        let holes = (0..*pages).map(Pfn).filter(|&pfn| !p2m.contains(pfn));
        runs(holes).try_for_each(|run| memory.release(run))
    }

    fn is_reserved(&self) -> bool {
        self.shared.reserved.load(Ordering::Relaxed)
    }

    fn take_memory(&self, run: Range<u64>) -> Result<(), HostError> {
        let Shared { memory, ahead, punched, .. } = &*self.shared;
        if punched.load(Ordering::Relaxed) {
            return memory.allocate(run);
        }
        let left = if self.is_reserved() { run.end..run.end } else { ahead.came(&run) };
        if left.is_empty() { Ok(()) } else { memory.allocate(left) }
    }

    /// Reads straight into memory that is mapped already.
    fn read_mapped(&self, run: &Range<u64>, data: &mut dyn Read) -> io::Result<()> {
        // SAFETY: the guest's process has the memory mapped but has no state and so no running vCPU before it is complete;
        // nobody else has the memory file, and no two lanes of a restore have a page in common, which the engine checks.
        unsafe { self.shared.memory.read_from(run, data) }
    }

    /// Reads into the buffer, and writes that to the file: cheaper than to map memory for one write.
    fn read_through(&mut self, run: &Range<u64>, data: &mut dyn Read) -> Result<(), BoxError> {
        let mut at = run.start;
        while at < run.end {
            let part = &mut self.buffer[..index((run.end - at).min(BUFFER)) * PAGE_SIZE];
            data.read_exact(part)?;
            self.shared.memory.write(Pfn(at), part)?;
            at += BUFFER;
        }
        Ok(())
    }
}

impl TargetMemory for Arriving {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        for run in runs(pfns.iter().copied()) {
            self.take_memory(run.clone())?;
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
        let reserved = self.is_reserved();
        for run in runs(pages.iter().map(|page| page.pfn)) {
            if reserved { self.read_mapped(&run, data)? } else { self.read_through(&run, data)? }
        }
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
