//! A Xen domain to be saved.

use std::ffi::c_int;
use std::io;
use std::sync::Arc;

use engine::{BoxError, GuestPage, SourceDomain};
use stream::libxc::{DomainHeader, DomainKind, Record};
use stream::{PAGE_SIZE, PageEntry, PageType, Pfn};

use super::Error;
use super::batch::XenBatch;
use super::domain::Domain;
use super::foreign::{Foreign, Mapping};
use super::pv::PvSource;

/// A Xen domain to be saved: HVM, PVH or 64-bit PV.
#[derive(Debug)]
pub struct XenSource {
    domain: Domain,
    foreign: Arc<Foreign>,
    version: (u32, u32),
    pfn_limit: u64,
    /// What only a PV guest has.
    pv: Option<PvSource>,
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
    pub fn open(domid: u32) -> Result<Self, Error> {
        let domain = Domain::open(domid)?;
        let foreign = Foreign::open()?;
        let version = domain.xen.version()?;
        let pv = if domain.info()?.hvm { None } else { Some(PvSource::open(&domain, &foreign)?) };
        let pfn_limit = pv.as_ref().map_or_else(|| domain.frame_limit(), |pv| Ok(pv.pfn_limit()))?;
        Ok(Self { domain, foreign, version, pfn_limit, pv })
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

    /// Maps the pages with data, in their order. `None` when there are none.
    fn map(&self, pages: &[(PageEntry, u64)]) -> Result<Option<Mapped>, Error> {
        let with_data = pages.iter().filter(|(entry, _)| entry.kind.has_data());
        let frames: Vec<u64> = with_data.map(|&(_, frame)| frame).collect();
        if frames.is_empty() {
            return Ok(None);
        }
        let (mapping, errors) = self.foreign.map_some(self.domain.domid(), &frames)?;
        Ok(Some(Mapped { mapping: Arc::new(mapping), errors }))
    }

    /// Adds a page with data that is page `at` of the mapping.
    fn add_data(
        &self,
        batch: &mut XenBatch,
        (entry, frame): (PageEntry, u64),
        Mapped { mapping, errors }: &Mapped,
        at: usize,
    ) -> Result<(), Error> {
        if errors[at] != 0 {
            let cause = io::Error::from_raw_os_error(errors[at].abs());
            return self.defer(batch, entry, Error::Map { domid: self.domain.domid(), frame, cause });
        }
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

    fn collect(&self, pfns: &[Pfn]) -> Result<XenBatch, Error> {
        if let Some(pv) = &self.pv {
            pv.check_p2m(&self.domain)?;
        }
        let pages = self.look_up(pfns)?;
        let mapped = self.map(&pages)?;
        let (mut batch, mut at) = (XenBatch::default(), 0);
        for page in pages {
            match &mapped {
                Some(mapped) if page.0.kind.has_data() => {
                    self.add_data(&mut batch, page, mapped, at)?;
                    at += 1;
                }
                _ => batch.add_entry(page.0),
            }
        }
        Ok(batch)
    }
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
        types.clear();
        types.extend(self.look_up(pfns)?.iter().map(|(entry, _)| entry.kind));
        Ok(())
    }

    fn batch(&mut self, pfns: &[Pfn]) -> Result<XenBatch, BoxError> {
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
