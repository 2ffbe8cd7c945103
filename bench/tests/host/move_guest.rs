//! Moves a guest with nothing but the traits of the engine, as plainly as can be.

use engine::{PageBatch, PageBytes, PageEntry, PfnSet, SourceDomain, TargetDomain, TargetMemory};
use ffi::host::{HostSource, HostTarget};

/// Copies memory and state of a suspended guest.
pub(crate) fn copy(source: &mut HostSource, target: &mut HostTarget) {
    target.begin(&source.header()).unwrap();
    let pfns: Vec<_> = PfnSet::full(source.pfn_limit()).iter().collect();
    for pfns in pfns.chunks(1000) {
        let batch = source.batch(pfns).unwrap();
        let with_data: Vec<PageEntry> =
            batch.entries().iter().copied().filter(|e| e.kind.has_data()).collect();
        target.populate(&with_data.iter().map(|e| e.pfn).collect::<Vec<_>>()).unwrap();
        let data: Vec<u8> = batch.runs().flatten().flat_map(load).collect();
        let mut rest = &data[..];
        target.write(&with_data, &mut rest).unwrap();
        assert!(rest.is_empty(), "exactly the data of the pages is read");
    }
    for record in source.records_after_memory().unwrap() {
        target.record(record).unwrap();
    }
}

pub(crate) fn load(page: &engine::GuestPage) -> PageBytes {
    let mut bytes = [0; engine::PAGE_SIZE];
    page.load(&mut bytes);
    bytes
}
