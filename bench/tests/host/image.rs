//! A copy of a guest's memory, kept up to date page by page as a migration does.

use std::collections::BTreeMap;

use engine::digest::{MemoryDigest, page_digest};
use engine::{PageBatch, PfnSet, SourceDomain};
use ffi::host::HostSource;

/// The digest of each populated page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image(BTreeMap<u64, u128>);

impl Image {
    /// A copy of the whole guest.
    pub(crate) fn of(source: &mut HostSource) -> Self {
        let mut image = Self::default();
        image.copy(source, &PfnSet::full(source.pfn_limit()));
        image
    }

    /// Copies these pages.
    pub(crate) fn copy(&mut self, source: &mut HostSource, pages: &PfnSet) {
        let pfns: Vec<_> = pages.iter().collect();
        for pfns in pfns.chunks(1024) {
            let batch = source.batch(pfns).unwrap();
            let mut data = batch.runs().flatten();
            for entry in batch.entries() {
                if entry.kind.has_data() {
                    let mut bytes = [0; engine::PAGE_SIZE];
                    data.next().unwrap().load(&mut bytes);
                    self.0.insert(entry.pfn.0, page_digest(&bytes));
                } else {
                    self.0.remove(&entry.pfn.0);
                }
            }
            assert!(data.next().is_none(), "as much data as entries that have some");
        }
    }

    /// The pfns that are not the same in both.
    pub(crate) fn differences(&self, other: &Self) -> Vec<u64> {
        let pfns: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).copied().collect();
        pfns.into_iter().filter(|pfn| self.0.get(pfn) != other.0.get(pfn)).collect()
    }

    /// The digest as the guest itself prints it.
    pub(crate) fn digest(&self, limit: u64) -> String {
        let mut digest = MemoryDigest::new(limit);
        self.0.iter().for_each(|(&pfn, &page)| digest.set(engine::Pfn(pfn), page));
        format!("{:032x}", digest.finish())
    }
}
