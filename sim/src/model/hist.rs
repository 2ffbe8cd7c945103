//! A recorded guest, played again.

use std::sync::Arc;
use std::time::Duration;

use stream::Pfn;

use super::Event;
use crate::{Content, Recording};

/// A guest that does what it did when it was recorded: the dirty model of HIST (Akoush et al., "Predicting the
/// Performance of Virtual Machine Migration", 2010, section IV-B), for "a migration initiated at time t".
///
/// The pages of a slot are written in ascending order, evenly over the slot, the last at its end: the record does
/// not say more. Behind its end it begins anew, for migrations that take longer than the record.
#[derive(Clone, Debug)]
pub struct Hist {
    recording: Arc<Recording>,
    frame: usize,
    /// When the slot of `frame` begins.
    start: Duration,
    /// The pages of `frame` that are still to be written, in reverse.
    left: Vec<Pfn>,
    written: u64,
}

impl Hist {
    /// The guest from slot `first` of the recording on (from 0; behind the end it counts from the start again).
    #[must_use]
    pub fn new(recording: Arc<Recording>, first: usize) -> Self {
        let frame = first.checked_rem(recording.len()).unwrap_or_default();
        let left = reversed(&recording, frame);
        Self { recording, frame, start: Duration::ZERO, left, written: 0 }
    }

    fn next_frame(&mut self) -> Option<()> {
        self.frame = (self.frame + 1).checked_rem(self.recording.len())?;
        self.start = self.start.checked_add(self.recording.slot())?;
        self.left = reversed(&self.recording, self.frame);
        Some(())
    }
}

fn reversed(recording: &Recording, frame: usize) -> Vec<Pfn> {
    let mut pages: Vec<_> = recording.frame(frame).collect();
    pages.reverse();
    pages
}

impl Iterator for Hist {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        // Once around at most: a guest that was idle throughout ends here.
        for _ in 0..self.recording.len() {
            if !self.left.is_empty() {
                break;
            }
            self.next_frame()?;
        }
        let pfn = self.left.pop()?;
        let total = self.recording.frame_len(self.frame);
        let done = total - self.left.len() as u64;
        let share = self.recording.slot().as_nanos() * u128::from(done) / u128::from(total);
        let time = self.start.checked_add(Duration::from_nanos(u64::try_from(share).ok()?))?;
        self.written += 1;
        Some((time, Event::Write(pfn, Content(self.written))))
    }
}

#[cfg(test)]
mod tests {
    use engine::PfnSet;

    use super::*;

    fn recording(frames: &[&[u64]]) -> Arc<Recording> {
        let mut recording = Recording::new(10, Duration::from_millis(100));
        for frame in frames {
            let mut dirty = PfnSet::empty(10);
            for &pfn in *frame {
                dirty.insert(Pfn(pfn));
            }
            recording.push(&dirty);
        }
        Arc::new(recording)
    }

    fn play(frames: &[&[u64]], first: usize, count: usize) -> Vec<(u128, u64)> {
        let hist = Hist::new(recording(frames), first);
        hist.take(count).map(|(time, event)| (time.as_millis(), event.pfn().0)).collect()
    }

    #[test]
    fn it_plays_from_a_given_slot_and_goes_round() {
        let frames: &[&[u64]] = &[&[1, 5], &[], &[2, 3, 4, 9]];
        let expected = [(50, 1), (100, 5), (225, 2), (250, 3), (275, 4), (300, 9), (350, 1)];
        assert_eq!(play(frames, 0, 7), expected);
        assert_eq!(play(frames, 3, 7), expected);
        assert_eq!(play(frames, 1, 5), [(125, 2), (150, 3), (175, 4), (200, 9), (250, 1)]);
    }

    #[test]
    fn an_idle_or_an_empty_recording_ends() {
        assert_eq!(play(&[&[], &[]], 1, 9), []);
        assert_eq!(play(&[], 5, 9), []);
    }
}
