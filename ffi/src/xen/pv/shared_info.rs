//! The shared-info page of a 64-bit PV guest.

use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::PageBytes;
use stream::PAGE_SIZE;

use crate::xen::domain::Domain;
use crate::xen::foreign::{Foreign, Mapping};
use crate::xen::{Error, sys};

const ARCH: usize = offset_of!(sys::shared_info, arch);
const MAX_PFN: usize = ARCH + offset_of!(sys::arch_shared_info, max_pfn);
const P2M_TREE: usize = ARCH + offset_of!(sys::arch_shared_info, pfn_to_mfn_frame_list_list);
const P2M_CR3: usize = ARCH + offset_of!(sys::arch_shared_info, p2m_cr3);
const P2M_VADDR: usize = ARCH + offset_of!(sys::arch_shared_info, p2m_vaddr);
const P2M_GENERATION: usize = ARCH + offset_of!(sys::arch_shared_info, p2m_generation);
const ARCH_END: usize = ARCH + size_of::<sys::arch_shared_info>();
const VCPU_INFO: usize = offset_of!(sys::shared_info, vcpu_info);
const VCPU_INFO_LEN: usize = size_of::<sys::vcpu_info>();
const VCPU_PENDING: usize = offset_of!(sys::vcpu_info, evtchn_pending_sel);
const PENDING: usize = offset_of!(sys::shared_info, evtchn_pending);
const MASK: usize = offset_of!(sys::shared_info, evtchn_mask);
const MASK_END: usize = offset_of!(sys::shared_info, wc_version);
const WORD: usize = size_of::<u64>();

/// The page as the guest and Xen keep it, mapped read only.
#[derive(Debug)]
pub(super) struct SharedInfo(Mapping);

impl SharedInfo {
    pub(super) fn map(domain: &Domain, foreign: &Arc<Foreign>) -> Result<Self, Error> {
        let frame = domain.info()?.shared_info_frame;
        Ok(Self(foreign.map(domain.domid(), &[frame])?))
    }

    fn word(&self, offset: usize) -> u64 {
        self.0.words()[offset / WORD].load(Ordering::Acquire)
    }

    /// How many pages the p2m tells of, by what the guest says.
    pub(super) fn max_pfn(&self) -> u64 {
        self.word(MAX_PFN)
    }

    /// The root of the tree p2m.
    pub(super) fn p2m_tree(&self) -> u64 {
        self.word(P2M_TREE)
    }

    /// The page tables that the linear p2m is mapped by; 0 when there is none.
    pub(super) fn p2m_cr3(&self) -> u64 {
        self.word(P2M_CR3)
    }

    /// Where it is mapped.
    pub(super) fn p2m_address(&self) -> u64 {
        self.word(P2M_VADDR)
    }

    /// Counts the changes of where the linear p2m is; odd while one is being made.
    pub(super) fn p2m_generation(&self) -> u64 {
        self.word(P2M_GENERATION)
    }

    /// A copy of the page.
    pub(super) fn copy(&self) -> Vec<u8> {
        let mut bytes = [0; PAGE_SIZE];
        self.0.pages(0..1)[0].load(&mut bytes);
        bytes.to_vec()
    }
}

/// Puts what the guest had into its new page: its vCPUs' and its own part, but no event channel of the old host, and
/// no p2m tree (the guest makes a new one when it resumes). The clock is Xen's.
pub(super) fn restore(page: &mut PageBytes, saved: &[u8]) {
    page[VCPU_INFO..PENDING].copy_from_slice(&saved[VCPU_INFO..PENDING]);
    page[ARCH..ARCH_END].copy_from_slice(&saved[ARCH..ARCH_END]);
    page[P2M_TREE..P2M_TREE + WORD].fill(0);
    page[PENDING..MASK].fill(0);
    page[MASK..MASK_END].fill(0xff);
    for vcpu in page[VCPU_INFO..PENDING].chunks_exact_mut(VCPU_INFO_LEN) {
        vcpu[VCPU_PENDING..VCPU_PENDING + WORD].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_the_public_header() {
        // Measured with the C compiler.
        assert_eq!((VCPU_INFO, PENDING, MASK, MASK_END), (0, 2048, 2560, 3072));
        assert_eq!((MAX_PFN, P2M_TREE, P2M_CR3, P2M_VADDR, P2M_GENERATION), (3088, 3096, 3112, 3120, 3128));
        assert_eq!(ARCH_END, 3136);
    }

    #[test]
    fn a_restored_page_has_no_event_of_the_old_host() {
        let saved = [0xaa; PAGE_SIZE];
        let mut page = [0x11; PAGE_SIZE];
        restore(&mut page, &saved);
        assert_eq!(page[PENDING..MASK], [0; 512]);
        assert_eq!(page[MASK..MASK_END], [0xff; 512]);
        assert_eq!(page[VCPU_PENDING..VCPU_PENDING + WORD], [0; WORD]);
        assert_eq!(page[MAX_PFN], 0xaa);
        assert_eq!(page[P2M_TREE..P2M_TREE + WORD], [0; WORD]);
        assert_eq!(page[MASK_END..ARCH], [0x11; 16], "the clock is Xen's");
        assert_eq!(page[ARCH_END..], [0x11; PAGE_SIZE - ARCH_END]);
    }
}
