//! A Xen domain to be saved.

use std::ffi::c_int;
use std::ops::Range;
use std::sync::Arc;
use std::{io, mem};

use engine::{BoxError, GuestPage, PageBytes, PfnSet, SourceDomain};
use stream::libxc::{DomainHeader, DomainKind, Record};
use stream::{PAGE_SIZE, PageEntry, PageType, Pfn};

use super::Error;
use super::batch::XenBatch;
use super::domain::Domain;
use super::foreign::{Foreign, Mapping};
use super::frame_watch::FrameWatch;
use super::layout::Layout;
use super::log_dirty::XenTracker;
use super::pv::PvSource;
use super::sampler::Sampler;
use super::whole_map::{CHUNK_PAGES, Chunk, WholeMap};
use crate::MapMode;

/// A Xen domain to be saved: HVM, PVH or 64-bit PV.
#[derive(Debug)]
pub struct XenSource {
    domain: Domain,
    foreign: Arc<Foreign>,
    version: (u32, u32),
    pfn_limit: u64,
    /// What only a PV guest has.
    pv: Option<PvSource>,
    /// The console and xenstore rings. Their backends write to them at any time, without marking them dirty.
    rings: Vec<Pfn>,
    /// What is sent of the rings, whatever their backends do meanwhile. Those of an HVM or PVH guest start empty where
    /// it is restored; those of a PV guest, as it left them when it suspended.
    fixed: Vec<(Pfn, PageBytes)>,
    mode: MapMode,
    whole: Option<WholeMap>,
    /// Of an HVM or PVH guest that is mapped a batch at a time, while it runs.
    sampler: Option<Sampler>,
    /// What the pages of the suspended guest are; not of a PV guest, of which each batch is asked for.
    still: Option<Arc<Layout>>,
    watch: Arc<FrameWatch>,
}

/// Where the data of a page is.
enum Place<'a> {
    /// It has none.
    Hole,
    /// Here, see [`XenSource::fixed`].
    Fixed(&'a PageBytes),
    /// In the mapping of the whole guest.
    Mapped(&'a Arc<Mapping>, usize),
    /// Not here yet.
    Unmapped,
}

/// Pages side by side, and for each why it could not be mapped (`errno`, 0 when it was).
struct Mapped {
    mapping: Arc<Mapping>,
    errors: Vec<c_int>,
}

impl XenSource {
    /// Opens an existing domain.
    ///
    /// # Errors
    /// When there is no Xen or no such domain, or the guest is of a kind that cannot be saved.
    pub fn open(domid: u32, mode: MapMode) -> Result<Self, Error> {
        let domain = Domain::open(domid)?;
        let foreign = Foreign::open()?;
        let version = domain.xen.version()?;
        let pv = if domain.info()?.hvm { None } else { Some(PvSource::open(&domain, &foreign)?) };
        let pfn_limit = pv.as_ref().map_or_else(|| domain.frame_limit(), |pv| Ok(pv.pfn_limit()))?;
        let rings = pv.as_ref().map_or_else(|| domain.hvm_rings(), |pv| pv.rings(domid))?;
        let empty = rings.iter().filter(|_| pv.is_none()).map(|&pfn| (pfn, [0; PAGE_SIZE]));
        let (watch, fixed) = (Arc::new(FrameWatch::new(pfn_limit)), empty.collect());
        Ok(Self {
            rings,
            fixed,
            domain,
            foreign,
            version,
            pfn_limit,
            pv,
            mode,
            whole: None,
            sampler: None,
            still: None,
            watch,
        })
    }

    /// The domain's log-dirty.
    ///
    /// # Errors
    /// When there is no memory for its bitmap.
    pub fn tracker(&self) -> Result<XenTracker, Error> {
        let always = if self.pv.is_some() { self.rings.clone() } else { Vec::new() };
        XenTracker::open(self.domain.domid(), self.pfn_limit, always, Arc::clone(&self.watch))
    }

    /// The frame that hypercalls know a page by.
    fn frame(&self, pfn: Pfn) -> Option<u64> {
        self.pv.as_ref().map_or(Some(pfn.0), |pv| pv.frame(pfn))
    }

    /// The pages' types, with the frame of each that has one.
    fn look_up(&self, pfns: &[Pfn]) -> Result<Vec<(PageEntry, u64)>, Error> {
        let frames: Vec<Option<u64>> = pfns.iter().map(|&pfn| self.frame(pfn)).collect();
        let known: Vec<u64> = frames.iter().flatten().copied().collect();
        let mut types = self.domain.frame_types(&known)?.into_iter();
        let entries = pfns.iter().zip(frames).map(|(&pfn, frame)| match frame {
            Some(frame) => (PageEntry { pfn, kind: types.next().unwrap_or(PageType::XTab) }, frame),
            None => (PageEntry { pfn, kind: PageType::XTab }, 0),
        });
        Ok(entries.collect())
    }

    /// As [`Self::look_up`], without asking what is known: the pages of an HVM or PVH guest that was looked at when it was
    /// suspended, and of one that is mapped whole, which change only by being ballooned, and that is found then.
    fn recall(&self, pfns: &[Pfn]) -> Result<Vec<(PageEntry, u64)>, Error> {
        let as_mapped = || self.whole.as_ref().and_then(WholeMap::layout);
        let Some(layout) = self.still.as_deref().or_else(as_mapped) else { return self.look_up(pfns) };
        let entry = |&pfn: &Pfn| match self.frame(pfn) {
            Some(frame) => (PageEntry { pfn, kind: layout.kind(pfn) }, frame),
            None => (PageEntry { pfn, kind: PageType::XTab }, 0),
        };
        Ok(pfns.iter().map(entry).collect())
    }

    /// Finds out what has to be known once the guest is suspended: of a PV guest, the rings; of another one, what its
    /// pages are, if that was not settled while it ran.
    fn look_when_still(&mut self) -> Result<(), Error> {
        if !self.watch.is_suspended() {
            return Ok(());
        }
        if self.pv.is_some() {
            return if self.fixed.is_empty() { self.fix_rings() } else { Ok(()) };
        }
        if self.still.is_none() && self.watch.settled().is_none() {
            let found = self.watch.still().map_or_else(|| self.layout().map(Arc::new), Ok);
            self.still = Some(found?);
        }
        Ok(())
    }

    /// What the pages of an HVM or PVH guest are now.
    fn layout(&self) -> Result<Layout, Error> {
        self.domain.layout(self.pfn_limit, self.domain.info()?.tot_pages)
    }

    /// Copies the rings of a suspended PV guest.
    fn fix_rings(&mut self) -> Result<(), Error> {
        for &pfn in &self.rings {
            if let Some(frame) = self.frame(pfn) {
                let mut page = [0; PAGE_SIZE];
                self.foreign.map(self.domain.domid(), &[frame])?.pages(0..1)[0].load(&mut page);
                self.fixed.push((pfn, page));
            }
        }
        Ok(())
    }

    /// Maps these frames; `None` when there are none.
    fn map(&self, frames: &[u64]) -> Result<Option<Mapped>, Error> {
        if frames.is_empty() {
            return Ok(None);
        }
        let (mapping, errors) = self.foreign.map_some(self.domain.domid(), frames)?;
        Ok(Some(Mapped { mapping: Arc::new(mapping), errors }))
    }

    fn map_whole(&self, tot_pages: u64) -> Result<WholeMap, Error> {
        let layout = match self.pv {
            Some(_) => None,
            None => Some(Arc::new(self.domain.layout(self.pfn_limit, tot_pages)?)),
        };
        if let Some(layout) = &layout {
            // With a guest that balloons right now the count means nothing.
            let settled = self.domain.info()?.tot_pages == tot_pages;
            self.watch.mapped(if settled { layout.unaccounted() } else { 0 });
        }
        let chunks = chunks(self.pfn_limit).map(|pfns| self.map_chunk(pfns, layout.as_deref()));
        Ok(WholeMap::new(chunks.collect::<Result<_, _>>()?, layout))
    }

    fn map_chunk(&self, pfns: Range<u64>, layout: Option<&Layout>) -> Result<Option<Chunk>, Error> {
        let pages = match layout {
            Some(layout) => {
                pfns.map(|pfn| (PageEntry { pfn: Pfn(pfn), kind: layout.kind(Pfn(pfn)) }, pfn)).collect()
            }
            None => self.look_up(&pfns.map(Pfn).collect::<Vec<_>>())?,
        };
        let with_data = pages.iter().filter(|(entry, _)| entry.kind.has_data());
        let frames: Vec<u64> = with_data.map(|&(_, frame)| frame).collect();
        let mapped = self.map(&frames)?;
        Ok(mapped.map(|Mapped { mapping, errors }| Chunk::new(&pages, mapping, &errors)))
    }

    /// Brings the mapping of the whole guest up to date: there is one while the guest runs.
    fn renew(&mut self) -> Result<(), Error> {
        let old = self.watch.take_old_mapping();
        if self.watch.is_suspended() {
            self.release();
            return self.look_when_still();
        }
        if self.whole.is_some() && !old {
            return Ok(());
        }
        let info = self.domain.info()?;
        self.watch.look(info.tot_pages);
        if info.shutdown.is_some() {
            self.watch.suspended();
            return self.look_when_still();
        }
        match self.mode {
            MapMode::Full => {
                self.whole = None;
                self.whole = Some(self.map_whole(info.tot_pages)?);
            }
            MapMode::Batch if self.pv.is_none() && self.sampler.is_none() => {
                self.sampler = Some(Sampler::start(self.domain.domid(), Arc::clone(&self.watch))?);
            }
            MapMode::Batch => {}
        }
        Ok(())
    }

    /// Forgets the mapping of the whole guest. To unmap page after page would take its time, and the guest stands still;
    /// the end of the process, which comes soon, does it in one go.
    fn release(&mut self) {
        self.sampler = None;
        mem::forget(self.whole.take());
    }

    fn collect(&self, pfns: &[Pfn]) -> Result<XenBatch, Error> {
        if let Some(pv) = &self.pv {
            pv.check_p2m(&self.domain)?;
        }
        let pages = self.recall(pfns)?;
        if pages.iter().all(|(entry, _)| !entry.kind.has_data()) {
            return Ok(XenBatch::of_holes(pages.iter().map(|page| page.0).collect()));
        }
        self.watch.add_read(pages.iter().filter(|page| page.0.kind.has_data()).map(|page| page.0.pfn));
        let places: Vec<Place<'_>> = pages.iter().map(|&(entry, frame)| self.place(entry, frame)).collect();
        let unmapped = pages.iter().zip(&places).filter(|(_, place)| matches!(place, Place::Unmapped));
        let fresh = self.map(&unmapped.map(|((_, frame), _)| *frame).collect::<Vec<_>>())?;
        let mut fresh = fresh.iter().flat_map(|Mapped { mapping, errors }| {
            errors.iter().enumerate().map(move |(at, &errno)| (mapping, at, errno))
        });
        let mut batch = XenBatch::default();
        for (&(entry, frame), place) in pages.iter().zip(places) {
            match place {
                Place::Hole => batch.add_entry(entry),
                Place::Fixed(page) => batch.add_own(entry, GuestPage::from_bytes(page)),
                Place::Mapped(mapping, at) => self.add_data(&mut batch, entry, mapping, at)?,
                Place::Unmapped => match fresh.next() {
                    Some((mapping, at, 0)) => self.add_data(&mut batch, entry, mapping, at)?,
                    Some((_, _, errno)) => self.defer(&mut batch, entry, self.not_mapped(frame, errno))?,
                    None => unreachable!("every unmapped page was mapped"),
                },
            }
        }
        Ok(batch)
    }

    fn place(&self, entry: PageEntry, frame: u64) -> Place<'_> {
        if !entry.kind.has_data() {
            return Place::Hole;
        }
        if let Some((_, page)) = self.fixed.iter().find(|(pfn, _)| *pfn == entry.pfn) {
            return Place::Fixed(page);
        }
        let held = self.whole.as_ref().and_then(|whole| whole.find(entry.pfn, frame));
        held.map_or(Place::Unmapped, |(mapping, at)| Place::Mapped(mapping, at))
    }

    /// Adds a page with data that is page `at` of the mapping.
    fn add_data(
        &self,
        batch: &mut XenBatch,
        entry: PageEntry,
        mapping: &Arc<Mapping>,
        at: usize,
    ) -> Result<(), Error> {
        let Some(pv) = self.pv.as_ref().filter(|_| entry.kind.is_page_table()) else {
            batch.add_mapped(entry, mapping, at);
            return Ok(());
        };
        let mut page = [0; PAGE_SIZE];
        mapping.pages(at..at + 1)[0].load(&mut page);
        match pv.normalise(entry, &mut page) {
            Ok(()) => batch.add_own(entry, GuestPage::from_bytes(&page)),
            Err(error) => self.defer(batch, entry, error)?,
        }
        Ok(())
    }

    /// A page of a running guest may change between two looks at it: it goes as a hole for now, and the engine finds
    /// after the suspend that it is none. In a suspended guest nothing changes any more, so there it is an error.
    fn defer(&self, batch: &mut XenBatch, entry: PageEntry, error: Error) -> Result<(), Error> {
        if self.domain.info()?.shutdown.is_some() {
            return Err(error);
        }
        batch.add_entry(PageEntry { kind: PageType::XTab, ..entry });
        Ok(())
    }

    fn not_mapped(&self, frame: u64, errno: c_int) -> Error {
        let cause = io::Error::from_raw_os_error(errno.abs());
        Error::Map { domid: self.domain.domid(), frame, cause }
    }
}

/// The pages below a limit, in chunks of [`CHUNK_PAGES`].
fn chunks(pfn_limit: u64) -> impl Iterator<Item = Range<u64>> {
    let firsts = (0..pfn_limit).step_by(Pfn(CHUNK_PAGES).index());
    firsts.map(move |first| first..pfn_limit.min(first + CHUNK_PAGES))
}

impl SourceDomain for XenSource {
    type Batch = XenBatch;

    fn header(&self) -> DomainHeader {
        let kind = if self.pv.is_some() { DomainKind::Pv } else { DomainKind::Hvm };
        DomainHeader { kind, xen_major: self.version.0, xen_minor: self.version.1 }
    }

    fn pfn_limit(&self) -> u64 {
        self.pfn_limit
    }

    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError> {
        self.look_when_still()?;
        types.clear();
        match &self.still {
            Some(layout) => types.extend(pfns.iter().map(|&pfn| layout.kind(pfn))),
            None => types.extend(self.look_up(pfns)?.iter().map(|(entry, _)| entry.kind)),
        }
        Ok(())
    }

    /// Of an HVM or PVH guest most are holes, a million below 4 GiB.
    fn populated(&mut self) -> Result<PfnSet, BoxError> {
        if self.domain.info()?.shutdown.is_some() {
            self.watch.suspended();
        }
        self.look_when_still()?;
        if let Some(pv) = &self.pv {
            return Ok(pv.populated());
        }
        match self.still.clone().or_else(|| self.watch.settled()) {
            Some(layout) => Ok(layout.populated().clone()),
            None => Ok(self.layout()?.populated().clone()),
        }
    }

    fn batch(&mut self, pfns: &[Pfn]) -> Result<XenBatch, BoxError> {
        self.renew()?;
        Ok(self.collect(pfns)?)
    }

    fn static_records(&mut self) -> Result<Vec<Record>, BoxError> {
        let policy = self.domain.cpu_policy()?;
        let mut records: Vec<Record> = self.pv.iter().map(|_| PvSource::info_record()).collect();
        if !policy.leaves.is_empty() {
            records.push(Record::CpuidPolicy(policy.leaves));
        }
        if !policy.msrs.is_empty() {
            records.push(Record::MsrPolicy(policy.msrs));
        }
        Ok(records)
    }

    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        Ok(self.pv.iter().map(|pv| pv.p2m_record(&self.domain)).collect::<Result<_, _>>()?)
    }

    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        let info = self.domain.info()?;
        if !info.is_suspended() {
            let reason = info.shutdown;
            return Err(self.domain.fault(format!("it did not suspend (shutdown reason {reason:?})")).into());
        }
        let mut records = vec![Record::TscInfo(self.domain.tsc_info()?)];
        match &self.pv {
            Some(pv) => records.extend(pv.state_records(&self.domain)?),
            None => {
                records.push(Record::HvmContext(self.domain.hvm_context()?));
                let params = self.domain.hvm_params()?;
                if !params.is_empty() {
                    records.push(Record::HvmParams(params));
                }
            }
        }
        Ok(records)
    }
}
