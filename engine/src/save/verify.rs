//! The pages of the suspended guest a second time, for the target to compare.
//!
//! Others write to the memory of a suspended guest too: Xen sets a bit in its event array for an event that somebody
//! sends, xenstored and xenconsoled move along their rings. Nobody marks such a page dirty, and the guest sets all of
//! this up anew when it resumes. So what is sent while the guest stands is remembered by its digest, and a page that has
//! changed since is not compared, but counted.

use std::collections::HashMap;

use stream::libxc::Record;
use stream::{PageEntry, Pfn};

use super::{Failure, Save};
use crate::digest::page_digest;
use crate::{Event, GuestPage, PAGE_SIZE, PageBatch, PageBytes, Phase, SourceDomain};

/// The digests of pages as they were when they were last sent.
#[derive(Debug, Default)]
pub(super) struct LastSent(HashMap<Pfn, u128>);

impl LastSent {
    pub(super) fn remember(&mut self, batch: &impl PageBatch) {
        let with_data = batch.entries().iter().filter(|entry| entry.kind.has_data());
        let pages = with_data.zip(batch.runs().flatten());
        self.0.extend(pages.map(|(entry, page)| (entry.pfn, page_digest(&copy(page)))));
    }

    fn has_changed(&self, pfn: Pfn, page: &PageBytes) -> bool {
        self.0.get(&pfn).is_some_and(|&last| last != page_digest(page))
    }
}

fn copy(page: &GuestPage) -> PageBytes {
    let mut bytes = [0; PAGE_SIZE];
    page.load(&mut bytes);
    bytes
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

    /// The pages of the chunk that are as they were sent. What was looked at is what goes, a copy: the memory itself may
    /// change until it is on its way.
    pub(super) fn copy_unchanged(&mut self) -> Result<(Vec<PageEntry>, Vec<GuestPage>), Failure> {
        let batch = self.read_chunk()?;
        let (mut entries, mut copies) = (Vec::new(), Vec::new());
        let mut pages = batch.runs().flatten();
        for &entry in batch.entries() {
            if let Some(page) = entry.kind.has_data().then(|| pages.next()).flatten() {
                let page = copy(page);
                if self.last_sent.has_changed(entry.pfn, &page) {
                    self.changed += 1;
                    continue;
                }
                copies.push(GuestPage::from_bytes(&page));
            }
            entries.push(entry);
        }
        Ok((self.passes.worth_sending(&entries), copies))
    }
}
