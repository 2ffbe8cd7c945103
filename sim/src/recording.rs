//! Dirty bitmaps over time: what HIST replays.
//!
//! As bytes, little-endian:
//!
//! ```text
//! 0   8  magic "DIRTYREC"
//! 8   4  version, 1
//! 12  8  pages of the guest, 1 to 2^30
//! 20  8  slot, nanoseconds, not 0
//! 28     the pages that had memory when it began
//!        the dirty pages of each slot, to the end
//! ```
//!
//! A set of pages is the number of its runs, then for each run in ascending order the pages since the end of the run
//! before it (or since page 0) and its length less 1, all as LEB128 numbers: 7 bits a byte, the low ones first, the
//! top bit says that more follow. A slot in which the guest wrote nothing is one byte, a run of pages a few.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use engine::PfnSet;
use stream::Pfn;

use crate::DirtyModel;

const MAGIC: [u8; 8] = *b"DIRTYREC";
const VERSION: u32 = 1;
/// The largest guest that is read: 4 TiB, four times what Xen 4.17 supports.
const MAX_PAGES: u64 = 1 << 30;
/// Which part of a recording must be as at its beginning for the guest to have come round: a tenth.
const COMPARED: usize = 10;
/// The share of the pages that both must have in common: more than half of them.
const ALIKE: f64 = 0.5;

/// Why bytes are no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// They are something else.
    #[error("not a recording of dirty pages: it does not start with \"DIRTYREC\"")]
    Magic,
    /// A newer format.
    #[error("recording of version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A guest of no pages or of too many.
    #[error("recording of a guest of {0} pages; expected 1 to {MAX_PAGES}")]
    Pages(u64),
    /// Slots without length.
    #[error("recording with slots of no length")]
    Slot,
    /// The bytes end in the header or in a frame.
    #[error("recording cut in {place}: {part} is missing")]
    Cut {
        /// The header, the memory, or a frame, from 0.
        place: String,
        /// What should be there.
        part: &'static str,
    },
    /// A run of pages ends beyond the guest's memory.
    #[error("recording with a run of pages in {place} that ends beyond page {pages}")]
    Run {
        /// The memory, or a frame, from 0.
        place: String,
        /// Pages of the guest.
        pages: u64,
    },
}

/// Which pages a guest wrote in each of equal slots of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pages: u64,
    slot: Duration,
    /// The runs of pages that had memory at first, ascending.
    memory: Vec<Range<u64>>,
    /// The runs of dirty pages of each slot, ascending.
    frames: Vec<Vec<Range<u64>>>,
}

impl Recording {
    /// An empty recording of a guest whose pfns are below `pages`, all of which have memory.
    #[must_use]
    pub fn new(pages: u64, slot: Duration) -> Self {
        Self { pages, slot, memory: std::iter::once(0..pages).collect(), frames: Vec::new() }
    }

    /// The same, of a guest in which only these pages have memory.
    #[must_use]
    pub fn with_memory(self, memory: &PfnSet) -> Self {
        Self { memory: self.runs_of(memory), ..self }
    }

    /// What a guest of `pages` pages does in its first `slots` slots: for models in place of real guests.
    #[must_use]
    pub fn of(model: impl DirtyModel, pages: u64, slot: Duration, slots: usize) -> Self {
        let mut recording = Self::new(pages, slot);
        let (mut model, mut end) = (model.peekable(), Duration::ZERO);
        for _ in 0..slots {
            end = end.saturating_add(slot);
            let mut dirty = PfnSet::empty(pages);
            while let Some((_, event)) = model.next_if(|(time, _)| *time <= end) {
                dirty.insert(event.pfn());
            }
            recording.push(&dirty);
        }
        recording
    }

    /// Adds what one more slot's harvest found dirty; pfns at or above the guest's end are left out.
    pub fn push(&mut self, dirty: &PfnSet) {
        let runs = self.runs_of(dirty);
        self.frames.push(runs);
    }

    fn runs_of(&self, set: &PfnSet) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for pfn in set.iter().map(|pfn| pfn.0).take_while(|pfn| *pfn < self.pages) {
            match runs.last_mut() {
                Some(run) if run.end == pfn => run.end += 1,
                _ => runs.push(pfn..pfn + 1),
            }
        }
        runs
    }

    /// Pages of the guest.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// The pages that had no memory when the recording began, ascending.
    pub fn holes(&self) -> impl Iterator<Item = Pfn> + '_ {
        let ends = std::iter::once(0).chain(self.memory.iter().map(|run| run.end));
        let starts = self.memory.iter().map(|run| run.start).chain([self.pages]);
        ends.zip(starts).flat_map(|(end, start)| end..start).map(Pfn)
    }

    /// How long a slot is.
    #[must_use]
    pub fn slot(&self) -> Duration {
        self.slot
    }

    /// How many slots were recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The pages written in slot `index` (from 0), ascending; none behind the end.
    pub fn frame(&self, index: usize) -> impl Iterator<Item = Pfn> + '_ {
        self.runs(index).iter().cloned().flatten().map(Pfn)
    }

    /// How many pages were written in slot `index`.
    #[must_use]
    pub fn frame_len(&self, index: usize) -> u64 {
        self.runs(index).iter().map(|run| run.end - run.start).sum()
    }

    fn runs(&self, index: usize) -> &[Range<u64>] {
        self.frames.get(index).map_or(&[], Vec::as_slice)
    }

    /// The same, cut where the guest does again what it did at first, so that it can be played round and round.
    ///
    /// A guest that goes round in its memory is rarely recorded for a whole number of its circles. Begun anew in the
    /// middle of one, it writes pages again that it has just written, and looks calmer than it is. The cut is in the
    /// second half, before the slots that share most pages with the first ones; if those share no more than half of
    /// their pages, the guest did not come round, and nothing is cut off.
    #[must_use]
    pub fn whole_circles(mut self) -> Self {
        let compared = self.len() / COMPARED;
        let ends = self.len() / 2..=self.len() - compared;
        let alike = ends.map(|end| (end, self.alike(end, compared)));
        if let Some((end, share)) = alike.max_by(|(_, a), (_, b)| a.total_cmp(b))
            && share > ALIKE
        {
            self.frames.truncate(end);
        }
        self
    }

    /// The share of the pages dirty in the first `count` slots and in those from `start` on that both have in common,
    /// slot by slot.
    fn alike(&self, start: usize, count: usize) -> f64 {
        let (mut common, mut all) = (0, 0);
        for index in 0..count {
            let (first, later) = (index, start + index);
            common += 2 * common_pages(self.runs(first), self.runs(later));
            all += self.frame_len(first) + self.frame_len(later);
        }
        common as f64 / all.max(1) as f64
    }

    /// In how many slots each page was dirty, of those that ever were.
    #[must_use]
    pub fn times_dirty(&self) -> BTreeMap<Pfn, u32> {
        let mut times = BTreeMap::new();
        for pfn in (0..self.len()).flat_map(|index| self.frame(index)) {
            *times.entry(pfn).or_default() += 1;
        }
        times
    }

    /// The dirty-growth series of the guest, in pages a slot, if it were harvested every `harvest_every` slots: a
    /// page counts in the slot in which it is first written after a harvest. With 1 (and 0), each state is the size
    /// of the slot's own increment, as in Chen and Cao; with more, it is what a policy sees in rounds of this length.
    #[must_use]
    pub fn growth(&self, harvest_every: usize) -> Vec<u64> {
        let mut dirty = PfnSet::empty(self.pages);
        let mut known = 0;
        let grow = |(index, runs): (usize, &Vec<Range<u64>>)| {
            if index % harvest_every.max(1) == 0 {
                dirty.clear();
                known = 0;
            }
            runs.iter().for_each(|run| dirty.insert_run(run.clone()));
            let before = std::mem::replace(&mut known, dirty.len());
            known - before
        };
        self.frames.iter().enumerate().map(grow).collect()
    }

    /// The recording as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.pages.to_le_bytes());
        bytes.extend(u64::try_from(self.slot.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
        for runs in std::iter::once(&self.memory).chain(&self.frames) {
            put_runs(&mut bytes, runs);
        }
        bytes
    }

    /// Reads a recording, which may come from anywhere. It takes at most 24 bytes of memory for each byte read,
    /// whatever the bytes say; a simulated guest takes memory for each of [`Recording::pages`].
    ///
    /// # Errors
    /// A [`RecordingError`] that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordingError> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(RecordingError::Magic)?;
        if *magic != MAGIC {
            return Err(RecordingError::Magic);
        }
        let cut = || RecordingError::Cut { place: "the header".into(), part: "a number" };
        let (version, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(RecordingError::Version(other)),
        }
        let (pages, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (slot, mut rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let pages = u64::from_le_bytes(*pages);
        if !(1..=MAX_PAGES).contains(&pages) {
            return Err(RecordingError::Pages(pages));
        }
        let mut recording = Self::new(pages, Duration::from_nanos(u64::from_le_bytes(*slot)));
        if recording.slot.is_zero() {
            return Err(RecordingError::Slot);
        }
        recording.memory = read_runs(&mut rest, pages, || "the memory".into())?;
        while !rest.is_empty() {
            let runs = read_runs(&mut rest, pages, || format!("frame {}", recording.len()))?;
            recording.frames.push(runs);
        }
        Ok(recording)
    }
}

/// Pages in both of two ascending lists of runs.
fn common_pages(mut a: &[Range<u64>], mut b: &[Range<u64>]) -> u64 {
    let mut common = 0;
    while let ([first, rest_a @ ..], [other, rest_b @ ..]) = (a, b) {
        common += first.end.min(other.end).saturating_sub(first.start.max(other.start));
        if first.end < other.end { a = rest_a } else { b = rest_b }
    }
    common
}

fn put_runs(bytes: &mut Vec<u8>, runs: &[Range<u64>]) {
    put(bytes, runs.len() as u64);
    let mut end = 0;
    for run in runs {
        put(bytes, run.start - end);
        put(bytes, run.end - run.start - 1);
        end = run.end;
    }
}

fn read_runs(
    rest: &mut &[u8],
    pages: u64,
    place: impl Fn() -> String,
) -> Result<Vec<Range<u64>>, RecordingError> {
    let mut number = |part| take(rest).ok_or_else(|| RecordingError::Cut { place: place(), part });
    let (mut runs, mut end) = (Vec::new(), 0_u64);
    for _ in 0..number("the number of runs")? {
        let (before, more) = (number("the start of a run")?, number("the length of a run")?);
        let start = end.checked_add(before);
        let run = start.and_then(|start| Some(start..start.checked_add(more)?.checked_add(1)?));
        let beyond = || RecordingError::Run { place: place(), pages };
        let run = run.filter(|run| run.end <= pages).ok_or_else(beyond)?;
        end = run.end;
        runs.push(run);
    }
    Ok(runs)
}

/// Payload bits of a byte of a LEB128 number.
const BITS: u32 = 7;
/// Says that more bytes follow.
const MORE: u8 = 0x80;

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        bytes.push(number.to_le_bytes()[0] | MORE);
        number >>= BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// A number; what is above 64 bits reads as [`u64::MAX`], which is beyond every guest. `None` when it is cut.
fn take(rest: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        let bits = u64::from(byte & !MORE);
        let placed = bits.checked_shl(shift).filter(|placed| placed >> shift == bits);
        number = placed.map_or(u64::MAX, |placed| number | placed);
        shift = shift.saturating_add(BITS);
        if byte & MORE == 0 {
            return Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ConstantRate;

    const SLOT: Duration = Duration::from_millis(100);

    fn recording(pages: u64, frames: &[Vec<u64>]) -> Recording {
        let mut recording = Recording::new(pages, SLOT);
        for frame in frames {
            let mut dirty = PfnSet::empty(pages);
            for &pfn in frame {
                dirty.insert(Pfn(pfn));
            }
            recording.push(&dirty);
        }
        recording
    }

    /// Three frames: 2..=4 and 300, nothing, 0.
    fn small() -> Recording {
        recording(1000, &[vec![2, 3, 4, 300], vec![], vec![0]])
    }

    #[test]
    fn the_bytes_are_as_printed() {
        let mut expected = b"DIRTYREC".to_vec();
        expected.extend([1, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0, 0, 0xe1, 0xf5, 5, 0, 0, 0, 0]);
        // One run of memory, from 0, of 1000 pages: 999 is 0b111_1100111.
        expected.extend([1, 0, 0xe7, 7]);
        // 295 clean pages between 5 and 300: 0b10_0100111.
        expected.extend([2, 2, 2, 0xa7, 2, 0, 0, 1, 0, 0]);
        assert_eq!(small().to_bytes(), expected);
    }

    #[test]
    fn a_model_is_recorded_as_it_would_be_harvested() {
        // Writes at 40, 80, 120, ... ms to 5, 6, 7, 5, ...
        let recording = Recording::of(ConstantRate::new(25, 5..8), 10, SLOT, 3);
        let frames = (0..4).map(|index| recording.frame(index).map(|pfn| pfn.0).collect());
        assert_eq!(frames.collect::<Vec<Vec<_>>>(), [vec![5, 6], vec![5, 6, 7], vec![5, 7], vec![]]);
    }

    #[test]
    fn frames_are_pages_again() {
        let small = small();
        assert_eq!(small.frame(0).map(|pfn| pfn.0).collect::<Vec<_>>(), [2, 3, 4, 300]);
        assert_eq!([0, 1, 2, 3].map(|index| small.frame_len(index)), [4, 0, 1, 0]);
        assert_eq!(small.times_dirty().len(), 5);
    }

    #[test]
    fn a_guest_that_goes_round_is_cut_where_it_comes_round() {
        // Ten pages a slot, round in 125 pages: two circles are 25 slots.
        let guest = |slots| Recording::of(ConstantRate::new(100, 0..125), 200, SLOT, slots);
        assert_eq!(guest(43).whole_circles(), guest(25));
        // Not once round yet, never round, never anything, and nothing at all.
        for slots in [12, 0] {
            assert_eq!(guest(slots).whole_circles(), guest(slots));
        }
        for frames in [(0..20).map(|n| vec![n]).collect::<Vec<_>>(), vec![vec![]; 20]] {
            assert_eq!(recording(20, &frames).whole_circles(), recording(20, &frames));
        }
    }

    #[test]
    fn common_pages_are_counted_run_by_run() {
        assert_eq!(common_pages(&[0..4, 6..9], &[2..7, 8..20]), 2 + 1 + 1);
        assert_eq!(common_pages(&[0..4, 6..9], &[4..6, 9..20]), 0);
        assert_eq!(common_pages(&[], &[2..7, 8..20]), 0);
    }

    #[test]
    fn growth_counts_a_page_once_between_harvests() {
        let recording = recording(10, &[vec![1, 2], vec![2, 3], vec![1], vec![1, 2]]);
        assert_eq!(recording.growth(1), [2, 2, 1, 2]);
        assert_eq!(recording.growth(2), [2, 1, 1, 1]);
        assert_eq!(recording.growth(9), [2, 1, 0, 0]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mistake = |at: usize, patch: &[u8]| {
            let mut bytes = small().to_bytes();
            bytes[at..at + patch.len()].copy_from_slice(patch);
            Recording::from_bytes(&bytes).unwrap_err()
        };
        assert_eq!(mistake(0, b"X"), RecordingError::Magic);
        assert_eq!(mistake(8, &[2]), RecordingError::Version(2));
        assert_eq!(mistake(12, &[0; 8]), RecordingError::Pages(0));
        assert_eq!(mistake(12, &[0xff; 8]), RecordingError::Pages(u64::MAX));
        assert_eq!(mistake(20, &[0; 8]), RecordingError::Slot);
        let run = |place: &str, pages| RecordingError::Run { place: place.into(), pages };
        assert_eq!(mistake(12, &[44, 1]), run("the memory", 300));
        let cut = RecordingError::Cut { place: "frame 2".into(), part: "the start of a run" };
        assert_eq!(mistake(39, &[9]), cut);
        let huge = [&small().to_bytes()[..32], &[1, 0], &[0xff; 12], &[0]].concat();
        assert_eq!(Recording::from_bytes(&huge), Err(run("frame 0", 1000)));
        assert_eq!(Recording::from_bytes(&[]), Err(RecordingError::Magic));
    }

    #[test]
    fn holes_are_what_has_no_memory() {
        let holes = |memory: &[u64]| {
            let mut set = PfnSet::empty(9);
            for &pfn in memory {
                set.insert(Pfn(pfn));
            }
            let recording = Recording::new(9, SLOT).with_memory(&set);
            recording.holes().map(|pfn| pfn.0).collect::<Vec<_>>()
        };
        assert_eq!(holes(&[1, 2, 5, 6]), [0, 3, 4, 7, 8]);
        assert_eq!(holes(&[]), (0..9).collect::<Vec<_>>());
        assert_eq!(Recording::new(9, SLOT).holes().count(), 0);
    }

    proptest! {
        #[test]
        fn there_and_back(frames in prop::collection::vec(prop::collection::vec(0..5000_u64, 0..50), 1..20)) {
            let mut memory = PfnSet::empty(5000);
            frames[0].iter().for_each(|&pfn| memory.insert_run(pfn..pfn + 1));
            let recording = recording(5000, &frames).with_memory(&memory);
            prop_assert_eq!(Recording::from_bytes(&recording.to_bytes()), Ok(recording));
        }

        #[test]
        fn any_bytes_behind_a_header_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&small().to_bytes()[..28], &tail].concat();
            if let Ok(recording) = Recording::from_bytes(&bytes) {
                let pages = (0..recording.len()).flat_map(|index| recording.frame(index));
                prop_assert!(pages.take(100_000).all(|pfn| pfn.0 < recording.pages()));
            }
        }
    }
}
