//! The whole guest, mapped once for all rounds of a pre-copy.

use std::ffi::c_int;
use std::sync::Arc;

use stream::{PageEntry, Pfn};

use super::foreign::Mapping;
use super::layout::Layout;

/// Pages of a chunk, 32 MiB: large enough that calls cost nothing, small enough that one does not hold up the
/// process's other mappings for long (the kernel locks them all meanwhile).
pub(super) const CHUNK_PAGES: u64 = 8 << 10;
/// The slot of a page that is not mapped.
const NOWHERE: u16 = u16::MAX;

const _: () = assert!(CHUNK_PAGES < NOWHERE as u64);

/// The whole guest, in chunks of [`CHUNK_PAGES`] from pfn 0 on.
#[derive(Debug)]
pub(super) struct WholeMap {
    chunks: Vec<Option<Chunk>>,
    /// What the pages of an HVM or PVH guest were when it was mapped.
    layout: Option<Arc<Layout>>,
}

/// Some consecutive pages of the guest, at least one of which is mapped.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Those with data, side by side.
    mapping: Arc<Mapping>,
    /// Where in the mapping each page is.
    slots: Vec<u16>,
    /// The frame behind each page of the mapping.
    frames: Vec<u64>,
}

impl Chunk {
    /// Of these consecutive pages, those with data are mapped; `errors` tells which of them are not after all.
    pub(super) fn new(pages: &[(PageEntry, u64)], mapping: Arc<Mapping>, errors: &[c_int]) -> Self {
        let (mut slots, mut frames) = (vec![NOWHERE; pages.len()], Vec::with_capacity(errors.len()));
        let with_data = pages.iter().zip(&mut slots).filter(|((entry, _), _)| entry.kind.has_data());
        for ((at, ((_, frame), slot)), error) in (0u16..).zip(with_data).zip(errors) {
            frames.push(*frame);
            if *error == 0 {
                *slot = at;
            }
        }
        Self { mapping, slots, frames }
    }
}

impl WholeMap {
    /// All chunks of a guest.
    pub(super) fn new(chunks: Vec<Option<Chunk>>, layout: Option<Arc<Layout>>) -> Self {
        Self { chunks, layout }
    }

    /// What the pages were when they were mapped, for a guest whose pages change only by being ballooned.
    pub(super) fn layout(&self) -> Option<&Layout> {
        self.layout.as_deref()
    }

    /// The mapping that a page is in, and where, if it is this frame that is mapped there.
    pub(super) fn find(&self, pfn: Pfn, frame: u64) -> Option<(&Arc<Mapping>, usize)> {
        let chunk = self.chunks.get(Pfn(pfn.0 / CHUNK_PAGES).index())?.as_ref()?;
        let at = usize::from(*chunk.slots.get(Pfn(pfn.0 % CHUNK_PAGES).index())?);
        let same = chunk.frames.get(at).is_some_and(|&mapped| mapped == frame);
        same.then_some((&chunk.mapping, at))
    }
}
