//! The p2m of a PV guest: which machine frame each of its pages is. The guest keeps it, Xen does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::PfnSet;
use stream::Pfn;

use super::m2p::M2p;
use super::p2m_walk::{self, Frames, Located};
use super::shared_info::SharedInfo;
use crate::xen::Error;
use crate::xen::domain::Domain;
use crate::xen::foreign::{Foreign, Mapping};

/// The stream's p2m record counts pages in 32 bits.
const MOST_PAGES: u64 = 1 << 32;
/// Pages that share a word of a [`PfnSet`].
const PAGES_A_WORD: usize = 64;

/// The p2m of a guest, mapped read only: it shows every change that the guest makes.
#[derive(Debug)]
pub(super) struct P2m {
    m2p: M2p,
    list: Mapping,
    max_pfn: u64,
}

impl P2m {
    /// Finds and maps it. The second part of the answer is the guest's pages that it is in.
    pub(super) fn map(
        domain: &Domain,
        foreign: &Arc<Foreign>,
        shared: &SharedInfo,
    ) -> Result<(Self, Vec<Pfn>), Error> {
        let m2p = M2p::map(domain, foreign)?;
        let Located { frames, max_pfn } = locate(domain, foreign, &m2p, shared)?;
        let list = foreign.map(domain.domid(), &frames)?;
        let p2m = Self { m2p, list, max_pfn };
        let own_page = |mfn: u64| {
            let pfn = p2m.pfn(mfn);
            pfn.ok_or_else(|| domain.fault(format!("machine frame {mfn:#x} of its p2m is not its own")))
        };
        let own_pages = frames.into_iter().map(own_page).collect::<Result<_, _>>()?;
        Ok((p2m, own_pages))
    }

    /// The guest's last page.
    pub(super) fn max_pfn(&self) -> u64 {
        self.max_pfn
    }

    /// The machine frame of a page; `None` for one without memory, and for a frame of another domain that the
    /// guest mapped (Linux marks those with high bits).
    pub(super) fn mfn(&self, pfn: Pfn) -> Option<u64> {
        let entry = self.list.words().get(pfn.index()).filter(|_| pfn.0 <= self.max_pfn)?;
        Some(entry.load(Ordering::Relaxed)).filter(|&mfn| self.m2p.is_frame(mfn))
    }

    /// The pages that have memory. By words, for the guest may stand still meanwhile.
    pub(super) fn populated(&self) -> PfnSet {
        let mut pages = PfnSet::empty(self.max_pfn + 1);
        let has_frame = |entry: &AtomicU64| self.m2p.is_frame(entry.load(Ordering::Relaxed));
        for (word, entries) in self.list.words().chunks(PAGES_A_WORD).enumerate() {
            let bits = entries.iter().rfold(0, |bits, entry| bits << 1 | u64::from(has_frame(entry)));
            pages.union_word(word, bits);
        }
        pages
    }

    /// The page of a machine frame, if the guest's table and Xen's agree that it is the guest's.
    pub(super) fn pfn(&self, mfn: u64) -> Option<Pfn> {
        let pfn = Pfn(self.m2p.get(mfn)?);
        (self.mfn(pfn) == Some(mfn)).then_some(pfn)
    }
}

fn locate(domain: &Domain, foreign: &Arc<Foreign>, m2p: &M2p, shared: &SharedInfo) -> Result<Located, Error> {
    let guest = Guest { domain, foreign, m2p };
    let max_pfn = shared.max_pfn().checked_sub(1).filter(|&max| max < MOST_PAGES);
    let Some(max_pfn) = max_pfn else {
        return Err(domain.fault(format!("its p2m of {:#x} pages cannot be", shared.max_pfn())));
    };
    match shared.p2m_cr3() {
        0 => p2m_walk::tree(&guest, shared.p2m_tree(), max_pfn),
        cr3 => p2m_walk::linear(&guest, cr3 / stream::PAGE_SIZE as u64, shared.p2m_address(), max_pfn),
    }
}

struct Guest<'a> {
    domain: &'a Domain,
    foreign: &'a Arc<Foreign>,
    m2p: &'a M2p,
}

impl Frames for Guest<'_> {
    fn read(&self, mfns: &[u64]) -> Result<Vec<u64>, Error> {
        let mapping = self.foreign.map(self.domain.domid(), mfns)?;
        Ok(mapping.words().iter().map(|word| word.load(Ordering::Relaxed)).collect())
    }

    fn check(&self, mfn: u64) -> Result<u64, Error> {
        if self.m2p.is_frame(mfn) {
            return Ok(mfn);
        }
        Err(self.fault(format!("machine frame {mfn:#x} in its p2m does not exist")))
    }

    fn fault(&self, fault: String) -> Error {
        self.domain.fault(fault)
    }
}
