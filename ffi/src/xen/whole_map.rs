//! The whole guest, mapped once for all rounds of a pre-copy.

use std::sync::Arc;

use stream::{PageEntry, PageType, Pfn};

use super::foreign::Mapping;

/// Pages of a chunk, 32 MiB: large enough that calls cost nothing, small enough that one does not hold up the
/// process's other mappings for long (the kernel locks them all meanwhile).
pub(super) const CHUNK_PAGES: u64 = 8 << 10;
/// The slot of a page that is not mapped.
const NOWHERE: u16 = u16::MAX;

const _: () = assert!(CHUNK_PAGES < NOWHERE as u64);

/// The whole guest, in chunks of [`CHUNK_PAGES`] from pfn 0 on.
#[derive(Debug)]
pub(super) struct WholeMap {
    chunks: Vec<Chunk>,
    tot_pages: u64,
}

/// Some consecutive pages of the guest.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Those with data, side by side; `None` when there are none.
    mapping: Option<Arc<Mapping>>,
    /// What each page was when it was mapped.
    kinds: Vec<PageType>,
    /// Where in the mapping each page is.
    slots: Vec<u16>,
    /// The frame behind each page of the mapping.
    frames: Vec<u64>,
}

impl Chunk {
    /// Of these consecutive pages, those whose frames are in `frames` are mapped; `errors` tells which of them are
    /// not after all.
    pub(super) fn new(
        pages: &[(PageEntry, u64)],
        mapping: Option<Arc<Mapping>>,
        errors: &[std::ffi::c_int],
    ) -> Self {
        let (mut slots, mut frames) = (vec![NOWHERE; pages.len()], Vec::with_capacity(errors.len()));
        let with_data = pages.iter().zip(&mut slots).filter(|((entry, _), _)| entry.kind.has_data());
        for ((at, ((_, frame), slot)), error) in (0u16..).zip(with_data).zip(errors) {
            frames.push(*frame);
            if *error == 0 {
                *slot = at;
            }
        }
        Self { mapping, kinds: pages.iter().map(|(entry, _)| entry.kind).collect(), slots, frames }
    }
}

impl WholeMap {
    /// All chunks of a guest that had so many frames when the mapping began.
    pub(super) fn new(chunks: Vec<Chunk>, tot_pages: u64) -> Self {
        Self { chunks, tot_pages }
    }

    /// The frames that the guest had when the mapping began.
    pub(super) fn tot_pages(&self) -> u64 {
        self.tot_pages
    }

    /// The pages that had memory, in order.
    pub(super) fn populated(&self) -> impl Iterator<Item = Pfn> + '_ {
        let kinds = self.chunks.iter().flat_map(|chunk| &chunk.kinds);
        (0..).map(Pfn).zip(kinds).filter(|(_, kind)| kind.is_populated()).map(|(pfn, _)| pfn)
    }

    fn chunk(&self, pfn: Pfn) -> Option<(&Chunk, usize)> {
        let chunk = self.chunks.get(Pfn(pfn.0 / CHUNK_PAGES).index())?;
        Some((chunk, Pfn(pfn.0 % CHUNK_PAGES).index()))
    }

    /// What a page was when it was mapped.
    pub(super) fn kind(&self, pfn: Pfn) -> PageType {
        let kind = self.chunk(pfn).and_then(|(chunk, index)| chunk.kinds.get(index));
        kind.copied().unwrap_or(PageType::XTab)
    }

    /// The mapping that a page is in, and where, if it is this frame that is mapped there.
    pub(super) fn find(&self, pfn: Pfn, frame: u64) -> Option<(&Arc<Mapping>, usize)> {
        let (chunk, index) = self.chunk(pfn)?;
        let at = usize::from(*chunk.slots.get(index)?);
        let same = chunk.frames.get(at).is_some_and(|&mapped| mapped == frame);
        chunk.mapping.as_ref().filter(|_| same).map(|mapping| (mapping, at))
    }
}
