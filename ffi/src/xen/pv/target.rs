//! What is special in building a PV guest.
//!
//! Page tables stay as the stream has them, with pfns, until everything has arrived: only then does each page have
//! its final machine frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use stream::libxc::{Record, VcpuPart};
use stream::{PageEntry, PageType, Pfn};

use super::p2m_walk::PER_PAGE;
use super::registers::{self, Use};
use super::start_info::{self, Arrival, RingFrames};
use super::{GUEST_WIDTH, PT_LEVELS, level, page_table, shared_info};
use crate::xen::domain::Domain;
use crate::xen::foreign::Foreign;
use crate::xen::target::TargetSettings;
use crate::xen::{Error, sys};

/// Page tables that are mapped, or pinned, at once (upstream's `MAX_PIN_BATCH`).
const TABLES_AT_ONCE: usize = 1024;
/// A p2m entry of a page without memory, as the guest expects it (`INVALID_P2M_ENTRY`).
const NO_FRAME: u64 = u64::MAX;
const PAGE_SHIFT: u32 = 12;

/// A PV guest that is being built.
#[derive(Debug, Default)]
pub(in crate::xen) struct PvTarget {
    /// The machine frame of each page; 0, which is Xen's, for one without memory.
    p2m: Vec<u64>,
    types: Vec<u8>,
    /// The pages that the guest's own p2m is in.
    p2m_pages: Vec<Pfn>,
    shared_info: Vec<u8>,
    vcpus: BTreeMap<(u32, PartOrder), Vec<u8>>,
}

/// A vCPU's parts, in the order in which they are given to Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PartOrder {
    Basic,
    Extended,
    Xsave,
    Msrs,
}

impl PvTarget {
    /// For a domain as the toolstack made it.
    pub(in crate::xen) fn open(domain: &Domain) -> Result<Self, Error> {
        domain.require_64_bit()?;
        Ok(Self::default())
    }

    /// The machine frame of a page that has memory.
    pub(in crate::xen) fn frame(&self, pfn: Pfn) -> Option<u64> {
        self.p2m.get(pfn.index()).copied().filter(|&mfn| mfn != 0)
    }

    /// A page got a machine frame, or lost it (0).
    pub(in crate::xen) fn set_frame(&mut self, pfn: Pfn, mfn: u64) {
        if let Some(slot) = self.p2m.get_mut(pfn.index()) {
            *slot = mfn;
            self.types[pfn.index()] = PageType::NoTab.nibble();
        }
    }

    /// What a page is.
    pub(in crate::xen) fn set_type(&mut self, entry: PageEntry) {
        if let Some(slot) = self.types.get_mut(entry.pfn.index()) {
            *slot = entry.kind.nibble();
        }
    }

    fn kind(&self, pfn: Pfn) -> PageType {
        let nibble = self.types.get(pfn.index()).copied();
        nibble.and_then(PageType::from_nibble).unwrap_or(PageType::NoTab)
    }

    /// Takes a record that only PV guests have.
    pub(in crate::xen) fn record(
        &mut self,
        domain: &Domain,
        pfn_limit: u64,
        record: Record,
    ) -> Result<(), Error> {
        match record {
            Record::PvInfo { guest_width: GUEST_WIDTH, pt_levels: PT_LEVELS } => Ok(()),
            Record::PvInfo { guest_width, .. } => {
                Err(domain.misfit(format!("a PV guest of {} bits, only 64 are supported", guest_width * 8)))
            }
            Record::PvP2mFrames { start, end, frames } => {
                self.add_p2m_pages(domain, pfn_limit, start.into(), end.into(), &frames)
            }
            Record::SharedInfo(page) => {
                self.shared_info = page;
                Ok(())
            }
            Record::PvVcpu { part, vcpu, blob } => self.add_vcpu(domain, part, vcpu, blob),
            other => Err(domain.misfit(format!("a PV guest has no {}", other.record_type()))),
        }
    }

    fn add_p2m_pages(
        &mut self,
        domain: &Domain,
        pfn_limit: u64,
        start: u64,
        end: u64,
        frames: &[Pfn],
    ) -> Result<(), Error> {
        let (first, last) = (Pfn(start / PER_PAGE).index(), Pfn(end / PER_PAGE).index());
        if end >= pfn_limit || first > last || last - first + 1 != frames.len() {
            let count = frames.len();
            return Err(domain.misfit(format!("{count} p2m pages for the pages {start:#x} to {end:#x}")));
        }
        let pages = Pfn(end).index() + 1;
        if pages > self.p2m.len() {
            self.p2m.resize(pages, 0);
            self.types.resize(pages, 0);
            self.p2m_pages.resize(last + 1, Pfn(u64::MAX));
        }
        self.p2m_pages[first..=last].copy_from_slice(frames);
        Ok(())
    }

    fn add_vcpu(&mut self, domain: &Domain, part: VcpuPart, vcpu: u32, blob: Vec<u8>) -> Result<(), Error> {
        let most = domain.info()?.max_vcpu_id;
        if vcpu > most {
            return Err(domain.misfit(format!("vCPU {vcpu}, its last one is {most}")));
        }
        if !blob.is_empty() {
            self.vcpus.insert((vcpu, part.into()), blob);
        }
        Ok(())
    }

    /// Everything has arrived: makes it a guest of this machine. Returns the frames of its rings.
    pub(in crate::xen) fn complete(
        &self,
        domain: &Domain,
        foreign: &Arc<Foreign>,
        settings: &TargetSettings,
    ) -> Result<RingFrames, Error> {
        self.localise_tables(domain, foreign)?;
        self.restore_shared_info(domain, foreign)?;
        let rings = self.restore_start_info(domain, foreign, settings)?;
        self.restore_vcpus(domain)?;
        self.pin_tables(domain)?;
        self.write_p2m(domain, foreign)?;
        Ok(rings)
    }

    fn tables(&self) -> Vec<PageEntry> {
        let entry = |pfn| PageEntry { pfn, kind: self.kind(pfn) };
        let entries = (0..self.types.len() as u64).map(|pfn| entry(Pfn(pfn)));
        entries.filter(|entry| entry.kind.is_page_table()).collect()
    }

    /// Puts machine frames into the page tables. No mapping of them is left, for Xen takes no page as a table that
    /// somebody may write.
    fn localise_tables(&self, domain: &Domain, foreign: &Arc<Foreign>) -> Result<(), Error> {
        for tables in self.tables().chunks(TABLES_AT_ONCE) {
            let frames = tables.iter().map(|table| self.frame_of(domain, table.pfn, "is a page table"));
            let mut mapping =
                foreign.map_to_write(domain.domid(), &frames.collect::<Result<Vec<_>, _>>()?)?;
            for (table, page) in tables.iter().zip(mapping.pages_mut()) {
                let level = level(table.kind).unwrap_or(0);
                page_table::localise(table.pfn, level, page, |pfn| self.frame(pfn))?;
            }
        }
        Ok(())
    }

    fn restore_shared_info(&self, domain: &Domain, foreign: &Arc<Foreign>) -> Result<(), Error> {
        if self.shared_info.len() != stream::PAGE_SIZE {
            return Err(domain.misfit("it has no shared info"));
        }
        let frame = domain.info()?.shared_info_frame;
        let mut mapping = foreign.map_to_write(domain.domid(), &[frame])?;
        shared_info::restore(&mut mapping.pages_mut()[0], &self.shared_info);
        Ok(())
    }

    fn restore_start_info(
        &self,
        domain: &Domain,
        foreign: &Arc<Foreign>,
        settings: &TargetSettings,
    ) -> Result<RingFrames, Error> {
        let vcpu0 = self.vcpus.get(&(0, PartOrder::Basic));
        let vcpu0 = vcpu0.ok_or_else(|| domain.misfit("it has no vCPU 0"))?;
        let pfn = registers::start_info(vcpu0);
        let frame = self.usable(pfn, Use::Memory).map_err(|fault| domain.misfit(fault))?;
        let arrival = Arrival {
            pages: self.p2m.len() as u64,
            shared_info: domain.info()?.shared_info_frame << PAGE_SHIFT,
            store_port: settings.store.port,
            console_port: settings.console.port,
        };
        let mut mapping = foreign.map_to_write(domain.domid(), &[frame])?;
        start_info::restore(&mut mapping.pages_mut()[0], arrival, |pfn| self.usable(pfn, Use::Memory))
            .map_err(|fault| domain.misfit(format!("start info: {fault}")))
    }

    fn restore_vcpus(&self, domain: &Domain) -> Result<(), Error> {
        for (&(vcpu, part), blob) in &self.vcpus {
            let mut blob = blob.clone();
            if part == PartOrder::Basic {
                registers::localise(vcpu, &mut blob, |pfn, what| self.usable(pfn, what))
                    .map_err(|fault| domain.misfit(format!("vCPU {vcpu}: {fault}")))?;
            }
            domain.set_vcpu_part(part.into(), vcpu, &blob)?;
        }
        Ok(())
    }

    fn pin_tables(&self, domain: &Domain) -> Result<(), Error> {
        let pinned = self.tables().into_iter().filter_map(|table| {
            let command = match table.kind {
                PageType::L1TabPinned => sys::MMUEXT_PIN_L1_TABLE,
                PageType::L2TabPinned => sys::MMUEXT_PIN_L2_TABLE,
                PageType::L3TabPinned => sys::MMUEXT_PIN_L3_TABLE,
                PageType::L4TabPinned => sys::MMUEXT_PIN_L4_TABLE,
                _ => return None,
            };
            let mut pin = sys::mmuext_op { cmd: command, ..sys::mmuext_op::default() };
            pin.arg1.mfn = self.frame(table.pfn)?;
            Some(pin)
        });
        for pins in pinned.collect::<Vec<_>>().chunks_mut(TABLES_AT_ONCE) {
            domain.mmuext(pins)?;
        }
        Ok(())
    }

    /// Tells the guest its machine frames, in the pages where it looks for them.
    fn write_p2m(&self, domain: &Domain, foreign: &Arc<Foreign>) -> Result<(), Error> {
        let frames = self.p2m_pages.iter().map(|&pfn| {
            self.usable(pfn, Use::Memory).map_err(|fault| domain.misfit(format!("p2m: {fault}")))
        });
        let frames = frames.collect::<Result<Vec<_>, _>>()?;
        if frames.is_empty() {
            return Err(domain.misfit("it has no p2m"));
        }
        let entries = self.p2m.iter().map(|&mfn| if mfn == 0 { NO_FRAME } else { mfn });
        let mut mapping = foreign.map_to_write(domain.domid(), &frames)?;
        let slots = mapping.pages_mut().iter_mut().flat_map(|page| page.as_chunks_mut::<8>().0);
        for (slot, entry) in slots.zip(entries) {
            *slot = entry.to_le_bytes();
        }
        Ok(())
    }

    fn frame_of(&self, domain: &Domain, pfn: Pfn, what: &str) -> Result<u64, Error> {
        self.frame(pfn).ok_or_else(|| domain.misfit(format!("page {pfn} {what} but has no memory")))
    }

    /// The machine frame of a page that is of the right type for this use.
    fn usable(&self, pfn: Pfn, what: Use) -> Result<u64, String> {
        let kind = self.kind(pfn);
        if !what.allows(kind) {
            return Err(format!("page {pfn} of type {kind:?} cannot be that"));
        }
        self.frame(pfn).ok_or_else(|| format!("page {pfn} has no memory"))
    }
}

impl Domain {
    fn mmuext(&self, operations: &mut [sys::mmuext_op]) -> Result<(), Error> {
        let count = u32::try_from(operations.len()).unwrap_or(u32::MAX);
        // SAFETY: as many operations as we say, none of which names memory of ours.
        let rc = unsafe { sys::xc_mmuext_op(self.raw(), operations.as_mut_ptr(), count, self.domid) };
        self.check("xc_mmuext_op (pinning page tables)", rc)
    }
}

impl From<VcpuPart> for PartOrder {
    fn from(part: VcpuPart) -> Self {
        match part {
            VcpuPart::Basic => Self::Basic,
            VcpuPart::Extended => Self::Extended,
            VcpuPart::Xsave => Self::Xsave,
            VcpuPart::Msrs => Self::Msrs,
        }
    }
}

impl From<PartOrder> for VcpuPart {
    fn from(part: PartOrder) -> Self {
        match part {
            PartOrder::Basic => Self::Basic,
            PartOrder::Extended => Self::Extended,
            PartOrder::Xsave => Self::Xsave,
            PartOrder::Msrs => Self::Msrs,
        }
    }
}
