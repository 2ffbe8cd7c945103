//! The two seams of a world: the domain that is saved and the domain that is built.

use std::error::Error;
use std::io::Read;

use stream::libxc::{DomainHeader, Record};
use stream::{PageEntry, PageType, Pfn};

use crate::{GuestPage, PageBytes, PfnSet};

/// Pages per question for their types alone: the answer is small.
const QUERY_PAGES: usize = 16 << 10;

/// What went wrong inside a world; the engine adds what it was doing.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Some pages of a domain that stay readable while this value lives.
pub trait PageBatch: Send {
    /// Every page of the batch, those without data too, ascending.
    fn entries(&self) -> &[PageEntry];

    /// The memory of the entries that have data, in their order, in runs that are contiguous in this process.
    fn runs(&self) -> impl Iterator<Item = &[GuestPage]>;
}

/// A domain whose memory and state are to be saved.
pub trait SourceDomain {
    /// Pages held readable.
    type Batch: PageBatch;

    /// What goes into the stream's domain header.
    fn header(&self) -> DomainHeader;

    /// One more than the highest pfn that the guest may ever use (Xen: `XENMEM_maximum_gpfn` + 1).
    fn pfn_limit(&self) -> u64;

    /// What each page is now: `types[i]` for `pfns[i]`. `types` is cleared first.
    ///
    /// # Errors
    /// When the world cannot tell.
    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError>;

    /// The pages that exist now. The others are holes: there is nothing to send of them. Of a guest that runs, pages may
    /// be told that turn out to be holes when they are read; of one that is suspended not.
    ///
    /// # Errors
    /// When the world cannot tell.
    fn populated(&mut self) -> Result<PfnSet, BoxError> {
        let (limit, mut populated) = (self.pfn_limit(), PfnSet::empty(self.pfn_limit()));
        let (mut pfns, mut types) = (Vec::new(), Vec::new());
        for start in (0..limit).step_by(QUERY_PAGES) {
            pfns.clear();
            pfns.extend((start..limit).take(QUERY_PAGES).map(Pfn));
            self.page_types(&pfns, &mut types)?;
            let known = pfns.iter().zip(&types).filter(|(_, kind)| kind.is_populated());
            known.for_each(|(&pfn, _)| {
                populated.insert(pfn);
            });
        }
        Ok(populated)
    }

    /// Finds out what these pages (ascending) are now, and makes those with data readable.
    ///
    /// # Errors
    /// When a page that has data cannot be read.
    fn batch(&mut self, pfns: &[Pfn]) -> Result<Self::Batch, BoxError>;

    /// The records before `STATIC_DATA_END` (CPU policies, PV info).
    ///
    /// # Errors
    /// When the world cannot tell.
    fn static_records(&mut self) -> Result<Vec<Record>, BoxError>;

    /// The records between `STATIC_DATA_END` and the first page (the p2m of a PV guest).
    ///
    /// # Errors
    /// When the world cannot tell.
    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError>;

    /// The records behind the last page: the state of the suspended domain.
    ///
    /// # Errors
    /// When the world cannot tell.
    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError>;
}

/// Whether the guest still runs while its dirty pages are harvested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harvest {
    /// The guest runs: what it writes from now on is for the next harvest.
    Live,
    /// The guest is suspended: this is the last harvest (Xen: `XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL`).
    Final,
}

/// Log-dirty: which pages the guest wrote.
pub trait DirtyTracker {
    /// Starts; from here on every write is seen.
    ///
    /// # Errors
    /// When this guest cannot be tracked; then nothing is left on.
    fn start(&mut self) -> Result<(), BoxError>;

    /// Adds to `into` each page written since the last harvest (or the start), and forgets them.
    ///
    /// # Errors
    /// When the record of writes is lost; the save must then fail.
    fn harvest(&mut self, into: &mut PfnSet, when: Harvest) -> Result<(), BoxError>;

    /// Adds to `into` each page written since the last harvest, and forgets nothing.
    ///
    /// # Errors
    /// When the world cannot tell.
    fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError>;

    /// Stops; harmless when it never started.
    ///
    /// # Errors
    /// When tracking may still be on.
    fn stop(&mut self) -> Result<(), BoxError>;
}

/// The memory of a domain that is being built from a stream.
pub trait TargetMemory {
    /// Gives these pages memory. The engine asks once for each page, and again after it was depopulated.
    ///
    /// # Errors
    /// When there is no memory for them.
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError>;

    /// Takes the memory of these pages away: the guest gave them back.
    ///
    /// # Errors
    /// When the world cannot.
    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError>;

    /// Reads exactly 4096 bytes for each of `pages`, in order, from `data` into the guest. All are populated
    /// and have data.
    ///
    /// # Errors
    /// When `data` ends or fails (its `io::Error` is passed on as it is), or the page cannot be written.
    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError>;

    /// Copies one populated page out, as `write` left it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError>;
}

/// A domain that is being built from a stream.
///
/// The engine has checked the order, the lengths and the page numbers before it calls anything here.
pub trait TargetDomain: TargetMemory {
    /// The kind of guest that the stream holds.
    ///
    /// # Errors
    /// When this target is of another kind.
    fn begin(&mut self, header: &DomainHeader) -> Result<(), BoxError>;

    /// One more than the highest pfn that the stream may name.
    fn pfn_limit(&self) -> u64;

    /// The guest's memory for a further thread, that writes other pages meanwhile. It is dropped before
    /// [`complete`](Self::complete) and [`discard`](Self::discard).
    ///
    /// # Errors
    /// When this target can be written by one thread only.
    fn lane(&mut self) -> Result<Box<dyn TargetMemory + Send>, BoxError> {
        Err("this kind of guest can be received over one connection only".into())
    }

    /// Takes any record but `PAGE_DATA`, `VERIFY`, `CHECKPOINT` and `END`.
    ///
    /// # Errors
    /// When the record does not fit this target.
    fn record(&mut self, record: Record) -> Result<(), BoxError>;

    /// Everything is there: makes the domain runnable. It stays paused.
    ///
    /// # Errors
    /// When the state does not fit or is not all there.
    fn complete(&mut self) -> Result<(), BoxError>;

    /// Leaves nothing of the domain behind. Called once, on any failure.
    fn discard(&mut self);
}
