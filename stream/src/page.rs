//! Guest page numbers and page types as the stream carries them.

use std::fmt;

/// Bytes in a guest page. The stream's `page_shift` is always 12.
pub const PAGE_SIZE: usize = 4096;

/// A guest pseudo-physical frame number: the numbering that the stream uses.
///
/// It has no arithmetic on purpose: a sum of two page numbers means nothing. Use [`Pfn::index`] to look
/// something up in a table that has one slot a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(pub u64);

impl Pfn {
    /// The slot of this page in a table with one slot a page.
    ///
    /// # Panics
    /// Never on the 64-bit machines that Xen runs on.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The type of a page: the top four bits of a `PAGE_DATA` entry, Xen's `XEN_DOMCTL_PFINFO_*` (`domctl.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PageType {
    /// Ordinary RAM.
    NoTab = 0x0,
    /// A level 1 page table of a PV guest.
    L1Tab = 0x1,
    /// A level 2 page table of a PV guest.
    L2Tab = 0x2,
    /// A level 3 page table of a PV guest.
    L3Tab = 0x3,
    /// A level 4 page table of a PV guest.
    L4Tab = 0x4,
    /// A pinned level 1 page table.
    L1TabPinned = 0x9,
    /// A pinned level 2 page table.
    L2TabPinned = 0xa,
    /// A pinned level 3 page table.
    L3TabPinned = 0xb,
    /// A pinned level 4 page table.
    L4TabPinned = 0xc,
    /// A page on broken hardware: no data.
    Broken = 0xd,
    /// A page to allocate, without data (streams converted from Xen 4.2 to 4.5 have these).
    XAlloc = 0xe,
    /// A hole: ballooned out, never populated, or a page that Xen itself owns.
    XTab = 0xf,
}

impl PageType {
    /// Every type, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::NoTab,
        Self::L1Tab,
        Self::L2Tab,
        Self::L3Tab,
        Self::L4Tab,
        Self::L1TabPinned,
        Self::L2TabPinned,
        Self::L3TabPinned,
        Self::L4TabPinned,
        Self::Broken,
        Self::XAlloc,
        Self::XTab,
    ];

    /// The type with this number, or `None` for the invalid 5 to 8 and anything above 15.
    #[must_use]
    pub fn from_nibble(nibble: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&t| t.nibble() == nibble)
    }

    /// The number of this type, 0 to 15.
    #[must_use]
    pub fn nibble(self) -> u8 {
        self as u8
    }

    /// Whether 4096 bytes follow for a page of this type.
    #[must_use]
    pub fn has_data(self) -> bool {
        !matches!(self, Self::Broken | Self::XAlloc | Self::XTab)
    }

    /// Whether the target must have memory at a page of this type.
    #[must_use]
    pub fn is_populated(self) -> bool {
        !matches!(self, Self::Broken | Self::XTab)
    }

    /// Whether the page is a PV page table.
    #[must_use]
    pub fn is_page_table(self) -> bool {
        self.is_populated() && !matches!(self, Self::NoTab | Self::XAlloc)
    }
}

impl fmt::Display for PageType {
    /// Xen's name for it, without the `XEN_DOMCTL_PFINFO_`; `_PIN` stands for `LPINTAB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoTab => "NOTAB",
            Self::L1Tab => "L1TAB",
            Self::L2Tab => "L2TAB",
            Self::L3Tab => "L3TAB",
            Self::L4Tab => "L4TAB",
            Self::L1TabPinned => "L1TAB_PIN",
            Self::L2TabPinned => "L2TAB_PIN",
            Self::L3TabPinned => "L3TAB_PIN",
            Self::L4TabPinned => "L4TAB_PIN",
            Self::Broken => "BROKEN",
            Self::XAlloc => "XALLOC",
            Self::XTab => "XTAB",
        })
    }
}

/// One entry of a `PAGE_DATA` record: which page, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEntry {
    /// The page.
    pub pfn: Pfn,
    /// What it is.
    pub kind: PageType,
}
