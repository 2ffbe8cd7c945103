//! A set of pages: one bit a pfn, scanned by word.

use std::ops::Range;

use stream::Pfn;

/// A set of the pfns `0..limit`, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PfnSet {
    words: Vec<u64>,
    limit: u64,
}

impl PfnSet {
    /// The empty set over the pfns below `limit`.
    #[must_use]
    pub fn empty(limit: u64) -> Self {
        Self { words: vec![0; Pfn(limit.div_ceil(64)).index()], limit }
    }

    /// All pfns below `limit`.
    #[must_use]
    pub fn full(limit: u64) -> Self {
        let mut set = Self::empty(limit);
        set.words.fill(u64::MAX);
        set.trim();
        set
    }

    fn trim(&mut self) {
        let used = self.limit % 64;
        if let (Some(last), true) = (self.words.last_mut(), used != 0) {
            *last &= (1 << used) - 1;
        }
    }

    /// The first pfn that cannot be a member.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How many pfns are in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// Whether the set has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    /// Whether `pfn` is in the set; false for one at or above the limit.
    #[must_use]
    pub fn contains(&self, pfn: Pfn) -> bool {
        pfn.0 < self.limit && self.words[pfn.index() / 64] >> (pfn.0 % 64) & 1 == 1
    }

    /// Adds `pfn`; one at or above the limit is ignored. Returns whether it was added.
    pub fn insert(&mut self, pfn: Pfn) -> bool {
        let fresh = pfn.0 < self.limit && !self.contains(pfn);
        if fresh {
            self.words[pfn.index() / 64] |= 1 << (pfn.0 % 64);
        }
        fresh
    }

    /// Adds every pfn of a run; what lies at or above the limit is ignored.
    pub fn insert_run(&mut self, run: Range<u64>) {
        let end = run.end.min(self.limit);
        let mut at = run.start;
        while at < end {
            let stop = (at / 64 * 64 + 64).min(end);
            let ones = u64::MAX >> (64 - (stop - at));
            self.words[Pfn(at).index() / 64] |= ones << (at % 64);
            at = stop;
        }
    }

    /// Takes `pfn` out. Returns whether it was there.
    pub fn remove(&mut self, pfn: Pfn) -> bool {
        let there = self.contains(pfn);
        if there {
            self.words[pfn.index() / 64] &= !(1 << (pfn.0 % 64));
        }
        there
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Adds all members of `other`.
    ///
    /// # Panics
    /// When the two sets have different limits.
    pub fn union(&mut self, other: &Self) {
        assert_eq!(self.limit, other.limit, "sets of different guests");
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Adds the pages that are in one of these two sets and not in the other.
    ///
    /// # Panics
    /// When the sets have different limits.
    pub fn add_difference(&mut self, one: &Self, other: &Self) {
        assert!(self.limit == one.limit && self.limit == other.limit, "sets of different guests");
        for (word, (one, other)) in self.words.iter_mut().zip(one.words.iter().zip(&other.words)) {
            *word |= one ^ other;
        }
    }

    /// ORs 64 pages at once: bit `b` of `bits` is pfn `64 * word + b`. Bits at or above the limit are ignored.
    pub fn union_word(&mut self, word: usize, bits: u64) {
        if let Some(mine) = self.words.get_mut(word) {
            *mine |= bits;
        }
        if word + 1 == self.words.len() {
            self.trim();
        }
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Pfn> + '_ {
        self.iter_from(Pfn(0))
    }

    /// The members from `start` on, in ascending order.
    pub fn iter_from(&self, start: Pfn) -> impl Iterator<Item = Pfn> + '_ {
        let first = (start.index() / 64).min(self.words.len());
        let mask = u64::MAX << (start.0 % 64);
        self.words[first..].iter().enumerate().flat_map(move |(i, &word)| {
            let mut left = if i == 0 { word & mask } else { word };
            std::iter::from_fn(move || {
                let bit = u64::from(left.trailing_zeros());
                left &= left.wrapping_sub(1);
                (bit < 64).then(|| Pfn(((first + i) as u64) * 64 + bit))
            })
        })
    }
}
