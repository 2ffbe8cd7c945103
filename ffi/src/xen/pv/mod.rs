//! 64-bit PV guests: their page numbers, page tables and processors hold machine frames, which the stream does not.

mod m2p;
mod p2m;
mod p2m_walk;
mod page_table;
mod registers;
mod shared_info;
mod source;
mod start_info;
mod target;

pub(super) use source::PvSource;
pub(super) use target::PvTarget;

/// Bytes of a word of the guests that are supported; Debian's Xen has no 32-bit PV guests.
const GUEST_WIDTH: u8 = 8;
/// Levels of their page tables.
const PT_LEVELS: u8 = 4;

/// The level of a page table of this type.
fn level(kind: stream::PageType) -> Option<u8> {
    // The lower three bits of a table's type are its level, the upper one says that it is pinned.
    kind.is_page_table().then(|| kind.nibble() & 7)
}
