//! Finding the pages of a PV guest's p2m: by its page tables (linear list), or by the older tree of three levels.
//!
//! All of it is written by the guest, so every frame is checked before it is mapped, and the mapping itself fails
//! for a frame that is not the guest's.

use std::ops::RangeInclusive;

use crate::xen::Error;

/// Entries of a p2m page, of a list page and of a page table.
pub(super) const PER_PAGE: u64 = 512;
const PAGE_SHIFT: u32 = 12;
/// An index of 9 bits a level.
const LEVEL_SHIFT: u32 = 9;
const LEVELS: u32 = 4;
/// Bits 51 to 12 of a page table entry.
const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// The part of the address space that Xen keeps for itself.
const XEN_RANGE: RangeInclusive<u64> = 0xffff_8000_0000_0000..=0xffff_87ff_ffff_ffff;

/// Where the p2m is: its pages' machine frames, and the last pfn that they tell of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) frames: Vec<u64>,
    pub(super) max_pfn: u64,
}

/// What the walks need of the guest.
pub(super) trait Frames {
    /// The words of these pages, one page after the other.
    fn read(&self, mfns: &[u64]) -> Result<Vec<u64>, Error>;
    /// A frame that the guest named.
    fn check(&self, mfn: u64) -> Result<u64, Error>;
    /// Something else that the guest said is wrong.
    fn fault(&self, fault: String) -> Error;
}

/// Walks the guest's page tables from `root` for the list at `address`.
pub(super) fn linear(guest: &impl Frames, root: u64, address: u64, max_pfn: u64) -> Result<Located, Error> {
    let pages = max_pfn / PER_PAGE + 1;
    let mut last = last_address(guest, address, pages)?;
    let mut tables = vec![guest.check(root)?];
    for level in (1..=LEVELS).rev() {
        let shift = PAGE_SHIFT + LEVEL_SHIFT * (level - 1);
        let first = (address >> shift) % PER_PAGE;
        let count = (last >> shift) - (address >> shift) + 1;
        tables = pick(&guest.read(&tables)?, first, count)
            .map(|entry| guest.check((entry & FRAME) >> PAGE_SHIFT))
            .collect::<Result<_, _>>()?;
        // Linux maps one and the same table of nothing behind the end of its memory.
        if level == 2 && drop_repeated_tail(&mut tables) {
            last = (((address >> shift) + tables.len() as u64) << shift) - 1;
        }
    }
    let max_pfn = max_pfn.min(tables.len() as u64 * PER_PAGE - 1);
    Ok(Located { frames: tables, max_pfn })
}

/// Reads the tree whose root is the page `root`: frames of lists of frames of p2m pages.
pub(super) fn tree(guest: &impl Frames, root: u64, max_pfn: u64) -> Result<Located, Error> {
    let pages = max_pfn / PER_PAGE + 1;
    let lists = pages.div_ceil(PER_PAGE);
    if lists > PER_PAGE {
        return Err(guest.fault(format!("its p2m tree cannot hold {max_pfn:#x} pages")));
    }
    let checked = |mfn| guest.check(mfn);
    let root = guest.read(&[guest.check(root)?])?;
    let mut lists = pick(&root, 0, lists).map(checked).collect::<Result<Vec<_>, _>>()?;
    drop_repeated_tail(&mut lists);
    let pages = pages.min(lists.len() as u64 * PER_PAGE);
    let frames = pick(&guest.read(&lists)?, 0, pages).map(checked).collect::<Result<Vec<_>, _>>()?;
    Ok(Located { frames, max_pfn: max_pfn.min(pages * PER_PAGE - 1) })
}

/// The last byte of a list of `pages` pages at `address`, if the guest may have it there.
fn last_address(guest: &impl Frames, address: u64, pages: u64) -> Result<u64, Error> {
    let last = (pages << PAGE_SHIFT).checked_add(address).and_then(|end| end.checked_sub(1));
    let aligned = address.is_multiple_of(1 << PAGE_SHIFT);
    match last {
        Some(last) if aligned && is_canonical(address, last) && !meets_xen(address, last) => Ok(last),
        _ => Err(guest.fault(format!("its p2m of {pages} pages cannot be at {address:#x}"))),
    }
}

/// Both in the lower, or both in the upper half of the 48-bit address space.
fn is_canonical(first: u64, last: u64) -> bool {
    let half = |address: u64| address >> 47;
    half(first) == half(last) && (half(first) == 0 || half(first) == u64::MAX >> 47)
}

fn meets_xen(first: u64, last: u64) -> bool {
    first <= *XEN_RANGE.end() && last >= *XEN_RANGE.start()
}

fn pick(words: &[u64], first: u64, count: u64) -> impl Iterator<Item = u64> + '_ {
    let index = |n| usize::try_from(n).unwrap_or(usize::MAX);
    words.iter().copied().skip(index(first)).take(index(count))
}

/// Keeps one of the equal entries at the end; tells whether there were more.
fn drop_repeated_tail(entries: &mut Vec<u64>) -> bool {
    let before = entries.len();
    while entries.len() > 1 && entries[entries.len() - 1] == entries[entries.len() - 2] {
        entries.pop();
    }
    entries.len() < before
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Pages by frame; unset entries are 0.
    #[derive(Default)]
    struct Fake(BTreeMap<u64, Vec<u64>>);

    impl Fake {
        fn set(&mut self, mfn: u64, index: u64, value: u64) {
            let page = self.0.entry(mfn).or_insert_with(|| vec![0; 512]);
            page[usize::try_from(index).unwrap()] = value;
        }
    }

    impl Frames for Fake {
        fn read(&self, mfns: &[u64]) -> Result<Vec<u64>, Error> {
            Ok(mfns.iter().flat_map(|mfn| self.0[mfn].clone()).collect())
        }
        fn check(&self, mfn: u64) -> Result<u64, Error> {
            if mfn == 0 { Err(self.fault("frame 0".into())) } else { Ok(mfn) }
        }
        fn fault(&self, fault: String) -> Error {
            Error::Guest { domid: 1, fault }
        }
    }

    /// A list at 0xffffc900_3fe00000 whose two pages lie in two level 2 tables' reach.
    const LIST: u64 = 0xffff_c900_3fff_f000;

    fn pte(mfn: u64) -> u64 {
        mfn << 12 | 0x67
    }

    fn linear_guest() -> Fake {
        let mut fake = Fake::default();
        fake.set(1, LIST >> 39 & 511, pte(2));
        fake.set(2, LIST >> 30 & 511, pte(3));
        fake.set(2, (LIST >> 30 & 511) + 1, pte(4));
        fake.set(3, 511, pte(5));
        fake.set(4, 0, pte(6));
        fake.set(5, 511, pte(0x100));
        fake.set(6, 0, pte(0x101));
        fake
    }

    #[test]
    fn a_linear_list_is_found_across_tables() {
        let found = linear(&linear_guest(), 1, LIST, 700).unwrap();
        assert_eq!(found, Located { frames: vec![0x100, 0x101], max_pfn: 700 });
    }

    #[test]
    fn a_missing_table_is_an_error() {
        let mut fake = linear_guest();
        fake.set(4, 0, 0);
        assert!(linear(&fake, 1, LIST, 700).is_err());
    }

    #[test]
    fn the_repeated_tail_of_a_list_is_dropped() {
        let mut fake = Fake::default();
        let at = 0xffff_c900_0000_0000;
        fake.set(1, at >> 39 & 511, pte(2));
        fake.set(2, at >> 30 & 511, pte(3));
        (0..4).for_each(|i| fake.set(3, i, pte(if i == 0 { 4 } else { 5 })));
        (0..512).for_each(|i| fake.set(4, i, pte(0x100 + i)));
        (0..512).for_each(|i| fake.set(5, i, pte(0x900)));
        let found = linear(&fake, 1, at, 4 * 512 * 512 - 1).unwrap();
        assert_eq!((found.frames.len(), found.max_pfn), (1024, 1024 * 512 - 1));
    }

    #[test]
    fn addresses_that_no_guest_has_are_refused() {
        let fake = linear_guest();
        for at in [XEN_RANGE.end() - 0xfff, 0x8000_0000_0000, LIST + 1, u64::MAX - 0xfff, 0x7fff_ffff_f000] {
            assert!(linear(&fake, 1, at, 700).is_err(), "{at:#x}");
        }
    }

    #[test]
    fn a_tree_is_read_and_its_repeated_tail_dropped() {
        let mut fake = Fake::default();
        fake.set(1, 0, 2);
        (1..4).for_each(|i| fake.set(1, i, 3));
        (0..512).for_each(|i| fake.set(2, i, 0x100 + i));
        (0..512).for_each(|i| fake.set(3, i, 0x900));
        let found = tree(&fake, 1, 4 * 512 * 512 - 1).unwrap();
        assert_eq!((found.frames.len(), found.max_pfn), (1024, 1024 * 512 - 1));
        assert_eq!(tree(&fake, 1, 600).unwrap().frames, [0x100, 0x101]);
        assert!(tree(&fake, 1, 1 << 40).is_err());
    }
}
