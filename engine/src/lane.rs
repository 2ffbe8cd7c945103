//! How the pages of a guest are shared out between several connections.
//!
//! A lane is one connection and the stream on it. The first one has everything; the others have pages only. A page always
//! goes by the same lane, so its copies arrive in the order in which they were made, and lanes never wait for each other
//! but at the end.

use stream::Pfn;

use crate::BATCH_PAGES;

/// Pages that go by one lane before those of the next: a batch.
const STRIPE: u64 = BATCH_PAGES as u64;

/// How many lanes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lanes(u64);

impl Lanes {
    /// The first one, and `others`.
    pub(crate) fn with_others(others: usize) -> Self {
        Self(others as u64 + 1)
    }

    /// The lane by which this page goes; the first is 0.
    pub(crate) fn of(self, pfn: Pfn) -> usize {
        Pfn(pfn.0 / STRIPE % self.0).index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_take_turns() {
        let lanes = Lanes::with_others(2);
        let of = |stripe| lanes.of(Pfn(stripe * STRIPE));
        assert_eq!([0, 1, 2, 3, 4].map(of), [0, 1, 2, 0, 1]);
        assert_eq!(lanes.of(Pfn(2 * STRIPE - 1)), 1);
    }

    #[test]
    fn one_lane_has_all() {
        assert!((0..9).all(|stripe| Lanes::with_others(0).of(Pfn(stripe * STRIPE)) == 0));
    }
}
