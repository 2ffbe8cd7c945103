//! The guest's memory and state, to be saved.

use std::sync::{Arc, LazyLock};

use engine::{BATCH_PAGES, BoxError, GuestPage, PageBatch, PfnSet, SourceDomain};
use stream::libxc::{DomainHeader, DomainKind, Record, TscInfo};
use stream::{PageEntry, PageType, Pfn};

use super::{SimGuest, State};
use crate::clock::nanos;
use crate::{Content, FaultPoint, SimError, hvm_context};

/// The Xen that a simulated guest claims to run on.
const XEN_VERSION: (u32, u32) = (4, 17);

/// The guest as a domain to save.
#[derive(Debug)]
pub struct SimSource(SimGuest);

impl SimSource {
    pub(super) fn new(guest: SimGuest) -> Self {
        Self(guest)
    }
}

/// Pages as they were when the batch was taken; what the guest wrote since is dirty.
#[derive(Debug)]
pub struct SimBatch {
    entries: Vec<PageEntry>,
    runs: Vec<Vec<GuestPage>>,
    /// How many pages of zeros there are in place of `runs`.
    blank: usize,
    _held: Arc<()>,
}

/// What pages without content are sent from.
static BLANK: LazyLock<Vec<GuestPage>> =
    LazyLock::new(|| (0..BATCH_PAGES).map(|_| GuestPage::from_bytes(&Content::ZERO.bytes())).collect());

impl PageBatch for SimBatch {
    fn entries(&self) -> &[PageEntry] {
        &self.entries
    }

    fn runs(&self) -> impl Iterator<Item = &[GuestPage]> {
        let blank = (0..self.blank).step_by(BATCH_PAGES).map(|at| &BLANK[..BATCH_PAGES.min(self.blank - at)]);
        self.runs.iter().map(Vec::as_slice).chain(blank)
    }
}

impl SourceDomain for SimSource {
    type Batch = SimBatch;

    fn header(&self) -> DomainHeader {
        DomainHeader { kind: DomainKind::Hvm, xen_major: XEN_VERSION.0, xen_minor: XEN_VERSION.1 }
    }

    fn pfn_limit(&self) -> u64 {
        self.0.look().pages.len() as u64
    }

    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::PageTypes)?;
        types.clear();
        for &pfn in pfns {
            types.push(kind(state.page(pfn)?));
        }
        Ok(())
    }

    fn populated(&mut self) -> Result<PfnSet, BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::PageTypes)?;
        let mut populated = PfnSet::empty(state.pages.len() as u64);
        let mut at = 0;
        for run in state.pages.chunk_by(|a, b| a.is_some() == b.is_some()) {
            let end = at + run.len() as u64;
            if run[0].is_some() {
                populated.insert_run(at..end);
            }
            at = end;
        }
        Ok(populated)
    }

    fn batch(&mut self, pfns: &[Pfn]) -> Result<SimBatch, BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Batch)?;
        if !pfns.is_sorted_by(|a, b| a < b) {
            return Err(SimError::bug("the pages of a batch do not ascend").into());
        }
        let entry = |&pfn| Ok(PageEntry { pfn, kind: kind(state.page(pfn)?) });
        let entries = pfns.iter().map(entry).collect::<Result<Vec<_>, SimError>>()?;
        let populated = entries.iter().filter(|entry| entry.kind.is_populated()).count();
        Ok(SimBatch {
            runs: if state.blank { Vec::new() } else { runs(&state.pages, pfns) },
            entries,
            blank: if state.blank { populated } else { 0 },
            _held: Arc::clone(&state.held),
        })
    }

    fn static_records(&mut self) -> Result<Vec<Record>, BoxError> {
        self.0.look().faults.call(FaultPoint::StaticRecords)?;
        Ok(Vec::new())
    }

    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        self.0.look().faults.call(FaultPoint::RecordsBeforeMemory)?;
        Ok(Vec::new())
    }

    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::RecordsAfterMemory)?;
        if state.is_running() {
            return Err(SimError::bug("asked a running guest for its state").into());
        }
        let tsc =
            TscInfo { khz: hvm_context::TSC_KHZ, nsec: nanos(state.guest_time()), ..TscInfo::default() };
        Ok(vec![Record::TscInfo(tsc), Record::HvmContext(hvm_context::build(state.events_applied))])
    }
}

impl State {
    fn page(&self, pfn: Pfn) -> Result<Option<Content>, SimError> {
        let limit = self.pages.len();
        let page = self.pages.get(pfn.index()).copied();
        page.ok_or_else(|| SimError::bug(format!("asked for page {pfn} of a guest of {limit:#x} pages")))
    }
}

fn kind(page: Option<Content>) -> PageType {
    if page.is_some() { PageType::NoTab } else { PageType::XTab }
}

/// The pages with data, a new run at every gap: so is memory that is mapped.
fn runs(pages: &[Option<Content>], pfns: &[Pfn]) -> Vec<Vec<GuestPage>> {
    let with_data: Vec<_> = pfns.iter().filter_map(|&pfn| Some((pfn, pages[pfn.index()]?))).collect();
    with_data
        .chunk_by(|(a, _), (b, _)| a.0 + 1 == b.0)
        .map(|run| run.iter().map(|(_, content)| GuestPage::from_bytes(&content.bytes())).collect())
        .collect()
}
