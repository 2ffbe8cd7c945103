//! One pass over a set of pages: what goes into batches, what is skipped, what the target has.

use std::time::Duration;

use policy::bandwidth::Stage;
use stream::{PageEntry, Pfn};

use super::outlet::{Job, Memory};
use super::{Failure, Save};
use crate::lane::Lanes;
use crate::{Event, PageBatch, PfnSet, Phase, SourceDomain};

/// How often, within a pass, the bandwidth policy is asked again: what is free on the link may have changed.
const RATE_EVERY: Duration = Duration::from_millis(100);

/// From a peek to the next go at least this many times what it took: peeks get at most a twentieth of a round. On Xen
/// the hypervisor copies the whole bitmap, be it full or empty, for each.
const PEEK_SHARE: u32 = 20;

/// What the passes so far left behind.
pub(super) struct Passes {
    /// Pages that the target has memory for: they were sent with data, and not as a hole since.
    sent: PfnSet,
    /// Pages of the running pass that are dirty again: they wait for the next one.
    redirtied: PfnSet,
    chunk: Vec<Pfn>,
    lanes: Lanes,
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pass {
    /// Entries sent.
    pub(super) sent: u64,
    /// Pages left for the next round because they are dirty again.
    pub(super) skipped: u64,
    /// Pages dealt with in any way.
    handled: u64,
}

impl Passes {
    pub(super) fn new(limit: u64, lanes: Lanes) -> Self {
        Self { sent: PfnSet::empty(limit), redirtied: PfnSet::empty(limit), chunk: Vec::new(), lanes }
    }

    pub(super) fn limit(&self) -> u64 {
        self.sent.limit()
    }

    /// What the target has memory for.
    pub(super) fn sent(&self) -> &PfnSet {
        &self.sent
    }

    /// Fills the chunk with the next pages of `pfns` that go by one lane, without those that are dirty again. Returns
    /// where the next chunk starts.
    fn fill_chunk(&mut self, pfns: &PfnSet, from: Pfn, size: usize, pass: &mut Pass) -> Pfn {
        self.chunk.clear();
        let mut next = Pfn(self.limit());
        for pfn in pfns.iter_from(from) {
            let full = self.chunk.len() == size;
            if full || self.chunk.first().is_some_and(|&first| self.lanes.of(first) != self.lanes.of(pfn)) {
                next = pfn;
                break;
            }
            pass.handled += 1;
            if self.redirtied.contains(pfn) {
                pass.skipped += 1;
            } else {
                self.chunk.push(pfn);
            }
        }
        next
    }

    /// The entries worth sending: pages with data, and holes where the target has memory.
    pub(super) fn worth_sending(&mut self, entries: &[PageEntry]) -> Vec<PageEntry> {
        let mut worth = Vec::with_capacity(entries.len());
        for &entry in entries {
            let populated = entry.kind.is_populated();
            let known = if populated { !self.sent.insert(entry.pfn) } else { self.sent.remove(entry.pfn) };
            if known || populated {
                worth.push(entry);
            }
        }
        worth
    }
}

impl<D: SourceDomain> Save<'_, '_, D> {
    /// Sends these pages of a running guest; those that it writes again before their turn are skipped, as in
    /// Xen up to 4.5.
    pub(super) fn send_live(&mut self, pfns: &PfnSet) -> Result<Pass, Failure> {
        self.send(pfns, Stage::Round)
    }

    /// Sends these pages of a suspended guest.
    pub(super) fn send_still(&mut self, pfns: &PfnSet) -> Result<Pass, Failure> {
        self.send(pfns, Stage::StopAndCopy)
    }

    fn send(&mut self, pfns: &PfnSet, stage: Stage) -> Result<Pass, Failure> {
        let (mut pass, planned) = (Pass::default(), pfns.len());
        let mut asked = self.context.clock.now();
        self.peek_at = self.peek_at.max(asked + self.options.peek_every);
        let mut next = Pfn(0);
        self.passes.redirtied.clear();
        while next.0 < self.passes.limit() {
            self.context.check_abort()?;
            let now = self.context.clock.now();
            if stage == Stage::Round && now >= self.peek_at {
                self.peek(now)?;
            }
            if now >= asked + RATE_EVERY {
                self.set_rate(stage);
                asked = now;
            }
            next = self.passes.fill_chunk(pfns, next, self.options.batch, &mut pass);
            pass.sent += self.send_chunk()?;
            self.context.tell(Event::Pages { handled: pass.handled, planned });
        }
        Ok(pass)
    }

    /// Looks which pages are dirty by now.
    fn peek(&mut self, now: Duration) -> Result<(), Failure> {
        self.passes.redirtied.clear();
        let peek = self.held.peek(&mut self.passes.redirtied);
        peek.map_err(self.failed("peeking at the dirty pages"))?;
        self.growth.look(now, self.passes.redirtied.len());
        let took = self.context.clock.now() - now;
        self.peeks.number += 1;
        self.peeks.time += took;
        self.peek_at = now + self.options.peek_every.max(took * PEEK_SHARE);
        Ok(())
    }

    fn send_chunk(&mut self) -> Result<u64, Failure> {
        if self.passes.chunk.is_empty() {
            return Ok(0);
        }
        if self.phase.get() == Phase::Verify {
            let (entries, pages) = self.copy_unchanged()?;
            return self.put_pages(entries, Memory::Copied(pages));
        }
        let batch = match self.phase.get() {
            Phase::StopAndCopy if self.options.verify => self.read_and_remember()?,
            _ => self.read_chunk()?,
        };
        let entries = self.passes.worth_sending(batch.entries());
        self.put_pages(entries, Memory::Guest(batch))
    }

    fn put_pages(&mut self, entries: Vec<PageEntry>, memory: Memory<D::Batch>) -> Result<u64, Failure> {
        let count = entries.len() as u64;
        if count > 0 {
            self.outlet.put(Job::Pages(entries, memory))?;
        }
        Ok(count)
    }

    /// The memory of the chunk's pages.
    pub(super) fn read_chunk(&mut self) -> Result<D::Batch, Failure> {
        self.domain.batch(&self.passes.chunk).map_err(self.failed("reading the guest's pages"))
    }

    /// Adds the pages that became memory or ceased to be since they were sent: a hole that was filled need not
    /// be dirty. Before anything was sent these are all that there is.
    pub(super) fn add_changed(&mut self, pending: &mut PfnSet) -> Result<(), Failure> {
        let populated = self.domain.populated();
        let populated = populated.map_err(self.failed("asking which pages there are"))?;
        pending.add_difference(&populated, self.passes.sent());
        Ok(())
    }
}
