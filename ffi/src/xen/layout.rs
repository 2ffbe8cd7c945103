//! What every page of a guest is.

use engine::PfnSet;
use stream::{PageType, Pfn};

use super::Error;
use super::domain::Domain;
use super::page_types::MOST_AT_ONCE;

/// How many questions cover what lies high: 64 MiB, from a PVH guest's ACPI tables (at 0xfc000000) to 4 GiB.
const TOP_QUESTIONS: u64 = 16;

/// What every page of a guest is.
#[derive(Debug)]
pub(super) struct Layout {
    kinds: Vec<PageType>,
    populated: PfnSet,
    unaccounted: u64,
}

impl Layout {
    /// The pages that are no holes.
    pub(super) fn populated(&self) -> &PfnSet {
        &self.populated
    }

    /// What a page is.
    pub(super) fn kind(&self, pfn: Pfn) -> PageType {
        self.kinds.get(pfn.index()).copied().unwrap_or(PageType::XTab)
    }

    /// Frames that the guest is charged with and that are none of its pages: those that it gave back while somebody
    /// maps them, and a reserve for pages that are populated on demand.
    pub(super) fn unaccounted(&self) -> u64 {
        self.unaccounted
    }
}

impl Domain {
    /// The layout of an HVM or PVH guest with `tot_pages` frames. Once as many are found, the rest are holes, of which
    /// such a guest of any size has a million below 4 GiB, and Xen is not asked about them.
    pub(super) fn layout(&self, pfn_limit: u64, tot_pages: u64) -> Result<Layout, Error> {
        let mut kinds = vec![PageType::XTab; Pfn(pfn_limit).index()];
        let (mut populated, mut found) = (PfnSet::empty(pfn_limit), 0);
        for first in top_first(pfn_limit) {
            if found >= tot_pages {
                break;
            }
            let frames: Vec<u64> = (first..pfn_limit).take(MOST_AT_ONCE).collect();
            let types = self.frame_types(&frames)?;
            found += add_populated(&mut populated, first, &types);
            kinds[Pfn(first).index()..][..types.len()].copy_from_slice(&types);
        }
        Ok(Layout { kinds, populated, unaccounted: tot_pages.saturating_sub(found) })
    }
}

/// Adds those of the pages from `first` on that are no holes; returns how many these are.
fn add_populated(populated: &mut PfnSet, first: u64, kinds: &[PageType]) -> u64 {
    let found = (first..).zip(kinds).filter(|(pfn, kind)| kind.is_populated() && populated.insert(Pfn(*pfn)));
    found.count() as u64
}

/// The first pages of all questions, in the order in which they find memory soonest: all of it starts at 0, but for a few
/// pages that the toolstack puts below 4 GiB.
fn top_first(pfn_limit: u64) -> impl Iterator<Item = u64> {
    let step = MOST_AT_ONCE as u64;
    let questions = pfn_limit.div_ceil(step);
    let top = questions.saturating_sub(TOP_QUESTIONS);
    (top..questions).chain(0..top).map(move |question| question * step)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Layout {
        /// Of a guest without holes, all of whose frames are behind its pages.
        pub(in crate::xen) fn full(pages: u64) -> Self {
            let kinds = vec![PageType::NoTab; Pfn(pages).index()];
            let mut populated = PfnSet::empty(pages);
            add_populated(&mut populated, 0, &kinds);
            Self { kinds, populated, unaccounted: 0 }
        }
    }

    #[test]
    fn every_page_is_in_one_question() {
        assert_eq!(top_first(0).count(), 0);
        assert_eq!(top_first(1025).collect::<Vec<_>>(), [0, 1024]);
        let mut firsts: Vec<u64> = top_first(18 * 1024 + 1).collect();
        assert_eq!(firsts[0], 3 * 1024);
        firsts.sort_unstable();
        assert_eq!(firsts, (0..19).map(|question| question * 1024).collect::<Vec<_>>());
    }
}
