//! A Xen domain that is built from a stream.

use std::io::Read;
use std::sync::Arc;

use engine::{BoxError, PageBytes, TargetDomain, TargetMemory};
use stream::libxc::{DomainHeader, DomainKind, Record};
use stream::{PAGE_SIZE, PageEntry, Pfn};

use super::domain::Domain;
use super::foreign::Foreign;
use super::grants::{self, Ring};
use super::hvm::HvmTarget;
use super::policy::CpuPolicy;
use super::pv::PvTarget;
use super::{Error, sys};

/// How far above its RAM a guest's pages may lie: below 4 GiB there is a hole of up to 4 GiB, and Linux puts the frames
/// of other domains above its own memory. 256 GiB costs 8 MiB of bitmap.
const SPARE_PAGES: u64 = 1 << 26;
/// Pages that are mapped at once: 4 MiB, as upstream.
const PAGES_AT_ONCE: usize = 1024;

/// Who serves one of the guest's rings.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// The domain.
    pub domid: u16,
    /// The guest's event channel towards it.
    pub port: u32,
}

/// What the toolstack has prepared.
#[derive(Clone, Copy, Debug)]
pub struct TargetSettings {
    /// xenstored.
    pub store: Backend,
    /// xenconsoled.
    pub console: Backend,
}

/// Where the rings of a domain are that was built; the toolstack introduces it with these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rings {
    /// The frame of the xenstore ring (PV: the machine frame); 0 when the guest has none.
    pub store: u64,
    /// The frame of the console ring; 0 when the guest has none.
    pub console: u64,
}

/// A Xen domain that is built from a stream: one that the toolstack has created, with no memory yet.
#[derive(Debug)]
pub struct XenTarget {
    pub(super) domain: Domain,
    foreign: Arc<Foreign>,
    settings: TargetSettings,
    pfn_limit: u64,
    kind: Kind,
    policy: Option<CpuPolicy>,
    arriving: Vec<PageBytes>,
    rings: Rings,
    /// Pages that had memory before: the rings of a domain whose backends are connected, see
    /// [`Self::open_existing`].
    pub(super) kept: Vec<Pfn>,
}

#[derive(Debug)]
enum Kind {
    Hvm(HvmTarget),
    Pv(PvTarget),
}

impl XenTarget {
    /// Opens a domain as the toolstack made it: paused, without memory.
    ///
    /// # Errors
    /// When there is no Xen or no such domain, or it is of a kind that cannot be built.
    pub fn open(domid: u32, settings: TargetSettings) -> Result<Self, Error> {
        let domain = Domain::open(domid)?;
        let info = domain.info()?;
        let kind =
            if info.hvm { Kind::Hvm(HvmTarget::default()) } else { Kind::Pv(PvTarget::open(&domain)?) };
        Ok(Self {
            foreign: Foreign::open()?,
            domain,
            settings,
            pfn_limit: info.max_pages + SPARE_PAGES,
            kind,
            policy: Some(CpuPolicy::default()),
            arriving: Vec::new(),
            rings: Rings::default(),
            kept: Vec::new(),
        })
    }

    /// Where its rings are, once it is complete.
    #[must_use]
    pub fn rings(&self) -> Rings {
        self.rings
    }

    fn frame(&self, pfn: Pfn) -> Result<u64, Error> {
        let frame = match &self.kind {
            Kind::Hvm(_) => Some(pfn.0),
            Kind::Pv(pv) => pv.frame(pfn),
        };
        frame.ok_or_else(|| self.domain.misfit(format!("page {pfn} has no memory")))
    }

    fn frames(&self, pages: &[PageEntry]) -> Result<Vec<u64>, Error> {
        pages.iter().map(|page| self.frame(page.pfn)).collect()
    }

    /// The static part is over: gives the guest its processor, before any memory is spent on it. What the stream
    /// lacks the toolstack makes up.
    fn end_static_data(&mut self) -> Result<(), Error> {
        // A stream of version 2 does not say so, its first page does.
        match self.policy.take() {
            Some(policy) if policy != CpuPolicy::default() => self.domain.set_cpu_policy(&policy),
            _ => Ok(()),
        }
    }

    fn take_policy(&mut self, record: Record) -> Result<(), Error> {
        let Some(policy) = &mut self.policy else {
            return Err(self.domain.misfit("a CPU policy behind the static data"));
        };
        match record {
            Record::CpuidPolicy(leaves) => policy.leaves = leaves,
            Record::MsrPolicy(msrs) => policy.msrs = msrs,
            _ => {}
        }
        Ok(())
    }

    /// Backends that are connected do not look for their rings a second time.
    fn check_kept(&self) -> Result<(), Error> {
        let stays = |&pfn: &Pfn| pfn.0 == self.rings.store || pfn.0 == self.rings.console;
        match self.kept.iter().find(|pfn| !stays(pfn)) {
            None => Ok(()),
            Some(pfn) => Err(self.domain.misfit(format!("its ring at {pfn} would have to be elsewhere"))),
        }
    }

    fn seed_grants(&self) -> Result<(), Error> {
        if !self.kept.is_empty() {
            return Ok(());
        }
        let ring = |backend, frame: u64| Ring { backend, frame: (frame != 0).then_some(frame) };
        let console = ring(self.settings.console, self.rings.console);
        grants::seed(&self.foreign, self.domain.domid(), console, ring(self.settings.store, self.rings.store))
    }
}

impl TargetMemory for XenTarget {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.end_static_data()?;
        let lacking = pfns.iter().filter(|pfn| !self.kept.contains(pfn));
        let mut frames: Vec<u64> = lacking.map(|pfn| pfn.0).collect();
        self.domain.populate_frames(&mut frames)?;
        if let Kind::Pv(pv) = &mut self.kind {
            pfns.iter().zip(frames).for_each(|(&pfn, mfn)| pv.set_frame(pfn, mfn));
        }
        Ok(())
    }

    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        let mut frames = pfns.iter().map(|&pfn| self.frame(pfn)).collect::<Result<Vec<_>, _>>()?;
        self.domain.remove_frames(&mut frames)?;
        if let Kind::Pv(pv) = &mut self.kind {
            pfns.iter().for_each(|&pfn| pv.set_frame(pfn, 0));
        }
        Ok(())
    }

    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError> {
        for pages in pages.chunks(PAGES_AT_ONCE) {
            // Not straight into the guest: some file systems cannot read into another domain's memory, and while
            // a slow link is read nothing should stay mapped.
            self.arriving.resize(pages.len(), [0; PAGE_SIZE]);
            data.read_exact(self.arriving.as_flattened_mut())?;
            let frames = self.frames(pages)?;
            let mut mapping = self.foreign.map_to_write(self.domain.domid(), &frames)?;
            mapping.pages_mut().copy_from_slice(&self.arriving);
            if let Kind::Pv(pv) = &mut self.kind {
                pages.iter().for_each(|&page| pv.set_type(page));
            }
        }
        Ok(())
    }

    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError> {
        let mapping = self.foreign.map(self.domain.domid(), &[self.frame(page.pfn)?])?;
        mapping.pages(0..1)[0].load(out);
        Ok(())
    }
}

impl TargetDomain for XenTarget {
    fn begin(&mut self, header: &DomainHeader) -> Result<(), BoxError> {
        match (&self.kind, header.kind) {
            (Kind::Hvm(_), DomainKind::Hvm) | (Kind::Pv(_), DomainKind::Pv) => Ok(()),
            (_, DomainKind::Pv) => Err(self.domain.misfit("it holds a PV guest").into()),
            (_, DomainKind::Hvm) => Err(self.domain.misfit("it holds an HVM or PVH guest").into()),
        }
    }

    fn pfn_limit(&self) -> u64 {
        self.pfn_limit
    }

    fn record(&mut self, record: Record) -> Result<(), BoxError> {
        match record {
            Record::StaticDataEnd => self.end_static_data()?,
            Record::CpuidPolicy(_) | Record::MsrPolicy(_) => self.take_policy(record)?,
            Record::TscInfo(tsc) => self.domain.set_tsc_info(tsc)?,
            other => match &mut self.kind {
                Kind::Hvm(hvm) => hvm.record(&self.domain, other)?,
                Kind::Pv(pv) => pv.record(&self.domain, self.pfn_limit, other)?,
            },
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), BoxError> {
        self.rings = match &mut self.kind {
            Kind::Hvm(hvm) => {
                hvm.complete(&self.domain, &self.foreign, &self.settings)?;
                let ring = |index| hvm.ring(index).unwrap_or(0);
                Rings { store: ring(sys::HVM_PARAM_STORE_PFN), console: ring(sys::HVM_PARAM_CONSOLE_PFN) }
            }
            Kind::Pv(pv) => {
                let rings = pv.complete(&self.domain, &self.foreign, &self.settings)?;
                Rings { store: rings.store, console: rings.console }
            }
        };
        self.check_kept()?;
        Ok(self.seed_grants()?)
    }

    fn discard(&mut self) {
        // The domain is the toolstack's, which made it and destroys it; here nothing of it is held between calls.
        self.arriving = Vec::new();
    }
}
