//! The pages of the suspended guest a second time, for the target to compare.
//!
//! Others write to the memory of a suspended guest too: Xen sets a bit in its event array for an event that somebody
//! sends, xenstored and xenconsoled move along their rings. Nobody marks such a page dirty, and the guest sets all of
//! this up anew when it resumes. So what is sent while the guest stands is remembered by its digest, and a page that has
//! changed since is not compared, but counted.

use std::collections::HashMap;

use stream::Pfn;
use stream::libxc::Record;

use super::{Failure, Save};
use crate::digest::page_digest;
use crate::{Event, PAGE_SIZE, PageBatch, Phase, SourceDomain};

/// The digests of pages as they were when they were last sent.
#[derive(Debug, Default)]
pub(super) struct LastSent(HashMap<Pfn, u128>);

impl LastSent {
    pub(super) fn remember(&mut self, batch: &impl PageBatch) {
        self.0.extend(digests(batch));
    }

    fn has_changed(&self, (pfn, digest): &(Pfn, u128)) -> bool {
        self.0.get(pfn).is_some_and(|last| last != digest)
    }
}

fn digests(batch: &impl PageBatch) -> impl Iterator<Item = (Pfn, u128)> {
    let with_data = batch.entries().iter().filter(|entry| entry.kind.has_data());
    with_data.zip(batch.runs().flatten()).map(|(entry, page)| {
        let mut bytes = [0; PAGE_SIZE];
        page.load(&mut bytes);
        (entry.pfn, page_digest(&bytes))
    })
}

impl<D: SourceDomain> Save<'_, '_, D> {
    /// Sends all again that the target has memory for.
    pub(super) fn verify(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Verify)?;
        self.put(Record::Verify)?;
        let sent = self.passes.sent().clone();
        self.send_still(&sent)?;
        if self.changed > 0 {
            self.context.tell(Event::Changed { pages: self.changed });
        }
        Ok(())
    }

    /// The memory of the chunk's pages, to be compared later.
    pub(super) fn read_and_remember(&mut self) -> Result<D::Batch, Failure> {
        let batch = self.read_chunk()?;
        self.last_sent.remember(&batch);
        Ok(batch)
    }

    /// The pages of the chunk that are as they were sent. What is read here should soon be on its way, so that little
    /// time is left for it to change: everything before it goes first.
    pub(super) fn read_unchanged(&mut self) -> Result<Option<D::Batch>, Failure> {
        self.outlet.barrier()?;
        let batch = self.read_chunk()?;
        let changed: Vec<Pfn> =
            digests(&batch).filter(|page| self.last_sent.has_changed(page)).map(|(pfn, _)| pfn).collect();
        if changed.is_empty() {
            return Ok(Some(batch));
        }
        drop(batch);
        self.changed += changed.len() as u64;
        self.passes.leave_out(&changed);
        if self.passes.chunk().is_empty() { Ok(None) } else { self.read_chunk().map(Some) }
    }
}
