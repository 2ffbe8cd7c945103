//! Streams, damaged in ways that a disk, a link or an enemy may find.

use stream::Input;
use stream::image::Summary;
use stream::libxc::Limits;

/// A stream cut at its records: what comes before a record belongs to the record before.
pub(crate) struct Split(Vec<Vec<u8>>);

impl Split {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut starts = vec![0];
        let push = |line: &stream::image::RecordLine| starts.push(usize::try_from(line.offset).unwrap());
        let summary = Summary::read_with(Input::strict(bytes), Limits::default(), push);
        assert!(summary.error.is_none(), "{:?}", summary.error);
        starts.push(bytes.len());
        Self(starts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect())
    }
}

/// One way to damage a stream, chosen by a seed.
#[derive(Debug)]
pub(crate) struct Mutator {
    state: u64,
    did: Vec<&'static str>,
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, did: Vec::new() }
    }

    /// A damaged copy of one of the originals.
    pub(crate) fn mutate(&mut self, originals: &[Split]) -> Vec<u8> {
        let mut parts = originals[self.below(originals.len())].0.clone();
        for _ in 0..=self.below(2) {
            self.damage(&mut parts);
        }
        parts.concat()
    }

    fn damage(&mut self, parts: &mut Vec<Vec<u8>>) {
        // An earlier truncation may have left next to nothing.
        if parts.len() < 3 || parts.iter().any(|part| part.len() < 8) {
            return;
        }
        let at = 1 + self.below(parts.len() - 1);
        let other = 1 + self.below(parts.len() - 1);
        match self.below(9) {
            0 => self.flip(&mut parts[at], "bit of a record"),
            1 => self.flip(&mut parts[at][..8], "bit of a record's head"),
            2 => self.flip(first(&mut parts[at], 48), "bit near a record's start"),
            3 => self.flip(last(&mut parts[at], 8), "bit of a record's end"),
            4 => self.flip(&mut parts[0], "bit of the first header"),
            5 => self.truncate(parts, at),
            6 => {
                self.did.push("delete");
                parts.remove(at);
            }
            7 => {
                self.did.push("duplicate");
                let copy = parts[at].clone();
                parts.insert(other, copy);
            }
            _ => self.edit_length(&mut parts[at]),
        }
        if self.below(4) == 0 {
            self.did.push("swap");
            let (a, b) = (1 + self.below(parts.len() - 1), 1 + self.below(parts.len() - 1));
            parts.swap(a, b);
        }
    }

    fn flip(&mut self, bytes: &mut [u8], what: &'static str) {
        self.did.push(what);
        let at = self.below(bytes.len());
        bytes[at] ^= 1 << self.below(8);
    }

    fn truncate(&mut self, parts: &mut Vec<Vec<u8>>, at: usize) {
        self.did.push("truncate");
        parts.truncate(at + 1);
        let len = self.below(parts[at].len());
        parts[at].truncate(len);
    }

    /// Says another length, and sometimes makes the record as long as that.
    fn edit_length(&mut self, part: &mut Vec<u8>) {
        self.did.push("length");
        let old = u32::from_le_bytes(part[4..8].try_into().unwrap());
        let steps = [1, 4, 8, 16, 24, 4096, u32::MAX, u32::MAX - 7, u32::MAX - 15];
        let new = old.wrapping_add(steps[self.below(steps.len())]);
        part[4..8].copy_from_slice(&new.to_le_bytes());
        if new < 1 << 16 && self.below(2) == 0 {
            part.resize((8 + new as usize).next_multiple_of(8), 0);
        }
    }

    /// A number below `limit`, by splitmix64.
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit as u64).unwrap()
    }
}

fn first(part: &mut [u8], len: usize) -> &mut [u8] {
    let end = part.len().min(len);
    &mut part[..end]
}

fn last(part: &mut [u8], len: usize) -> &mut [u8] {
    let start = part.len().saturating_sub(len);
    &mut part[start..]
}
