//! What is special in saving a PV guest.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use engine::{PageBytes, PfnSet};
use stream::libxc::{Record, VcpuPart};
use stream::{PageEntry, Pfn};

use super::p2m::P2m;
use super::shared_info::SharedInfo;
use super::{GUEST_WIDTH, PT_LEVELS, level, page_table, registers};
use crate::xen::domain::Domain;
use crate::xen::foreign::Foreign;
use crate::xen::store::Store;
use crate::xen::{Error, sys};

/// How often to look again for a p2m that the guest is just moving, and how long to wait between: a guest moves it
/// when it boots or gets more memory, in well under a second.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A PV guest's tables, mapped.
#[derive(Debug)]
pub(in crate::xen) struct PvSource {
    shared: SharedInfo,
    p2m: P2m,
    p2m_pages: Vec<Pfn>,
    generation: u64,
}

impl PvSource {
    pub(in crate::xen) fn open(domain: &Domain, foreign: &Arc<Foreign>) -> Result<Self, Error> {
        domain.require_64_bit()?;
        for _ in 0..LOOKS {
            let shared = SharedInfo::map(domain, foreign)?;
            let generation = shared.p2m_generation();
            if generation.is_multiple_of(2) {
                let (p2m, p2m_pages) = P2m::map(domain, foreign, &shared)?;
                if shared.p2m_generation() == generation {
                    return Ok(Self { shared, p2m, p2m_pages, generation });
                }
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Err(domain.fault("it keeps moving its p2m"))
    }

    /// One more than its last page.
    pub(in crate::xen) fn pfn_limit(&self) -> u64 {
        self.p2m.max_pfn() + 1
    }

    /// The pages that have memory. Xen is asked for their types when they are sent.
    pub(in crate::xen) fn populated(&self) -> PfnSet {
        self.p2m.populated()
    }

    /// The machine frame of a page that has memory.
    pub(in crate::xen) fn frame(&self, pfn: Pfn) -> Option<u64> {
        self.p2m.mfn(pfn)
    }

    /// The console and xenstore rings, of which the toolstack notes the machine frames in xenstore.
    pub(in crate::xen) fn rings(&self, domid: u32) -> Result<Vec<Pfn>, Error> {
        let store = Store::open()?;
        let mut rings = Vec::new();
        for ring in ["console", "store"] {
            let frame = store.read(&format!("/local/domain/{domid}/{ring}/ring-ref"))?;
            rings.extend(frame.and_then(|mfn| self.p2m.pfn(mfn.parse().ok()?)));
        }
        Ok(rings)
    }

    /// A guest that moves its p2m leaves us with an old one.
    pub(in crate::xen) fn check_p2m(&self, domain: &Domain) -> Result<(), Error> {
        let now = self.shared.p2m_generation();
        if now == self.generation {
            return Ok(());
        }
        Err(domain.fault(format!("it moved its p2m meanwhile (generation {} to {now})", self.generation)))
    }

    /// Puts pfns into a copy of a page table.
    pub(in crate::xen) fn normalise(&self, table: PageEntry, page: &mut PageBytes) -> Result<(), Error> {
        let level = level(table.kind).unwrap_or(0);
        page_table::normalise(table.pfn, level, page, |mfn| self.p2m.pfn(mfn))
    }

    pub(in crate::xen) fn info_record() -> Record {
        Record::PvInfo { guest_width: GUEST_WIDTH, pt_levels: PT_LEVELS }
    }

    pub(in crate::xen) fn p2m_record(&self, domain: &Domain) -> Result<Record, Error> {
        let end = self.p2m.max_pfn();
        let end = u32::try_from(end).map_err(|_| domain.fault(format!("its last page is {end:#x}")))?;
        Ok(Record::PvP2mFrames { start: 0, end, frames: self.p2m_pages.clone() })
    }

    /// The state of the suspended guest.
    pub(in crate::xen) fn state_records(&self, domain: &Domain) -> Result<Vec<Record>, Error> {
        self.check_p2m(domain)?;
        let mut records = vec![Record::SharedInfo(self.shared.copy())];
        for vcpu in 0..=domain.info()?.max_vcpu_id {
            if domain.vcpu_is_online(vcpu)? {
                self.vcpu_records(domain, vcpu, &mut records)?;
            }
        }
        Ok(records)
    }

    fn vcpu_records(&self, domain: &Domain, vcpu: u32, records: &mut Vec<Record>) -> Result<(), Error> {
        for part in [VcpuPart::Basic, VcpuPart::Extended, VcpuPart::Xsave, VcpuPart::Msrs] {
            let mut blob = domain.vcpu_part(part, vcpu)?;
            if part == VcpuPart::Basic {
                registers::normalise(vcpu, &mut blob, |mfn| self.p2m.pfn(mfn))
                    .map_err(|fault| domain.fault(format!("vCPU {vcpu}: {fault}")))?;
            }
            if !blob.is_empty() {
                records.push(Record::PvVcpu { part, vcpu, blob });
            }
        }
        Ok(())
    }
}

impl Domain {
    /// Refuses a PV guest of 32 bits.
    pub(super) fn require_64_bit(&self) -> Result<(), Error> {
        let mut width = 0;
        // SAFETY: one number to fill.
        let rc = unsafe { sys::xc_domain_get_guest_width(self.raw(), self.domid, &raw mut width) };
        if rc != 0 {
            return Err(self.failed("xc_domain_get_guest_width"));
        }
        if width != u32::from(GUEST_WIDTH) {
            return Err(self.fault(format!("a PV guest of {} bits, only 64 are supported", width * 8)));
        }
        Ok(())
    }
}
