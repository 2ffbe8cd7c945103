//! The dirty-growth series: how many pages become dirty in each of equal slots of time.

use std::time::Duration;

/// Turns looks at the dirty bitmap, made whenever there is time for one, into the series s_1, s_2, ... of Chen and
/// Cao, *Prediction-Based Optimization of Live Virtual Machine Migration*, section 3.2.
///
/// Their state s_i is "a size of an incremental snapshot in a time slot". Here it is what the pages that wait to be
/// sent grew by in the slot: a page that is written again before its harvest counts once, so that the states from
/// harvest to harvest add up to what the harvest finds, as their `d_ij` (a plain sum) has it. Between two looks the
/// growth is taken as even. Slots are counted from the start of log-dirty; only whole ones are in the series.
#[derive(Clone, Debug)]
pub struct GrowthSeries {
    slot: Duration,
    states: Vec<u64>,
    /// All growth in `states`.
    closed: u64,
    /// The last look: when, and the growth up to then.
    last: (Duration, u64),
    /// The growth up to the last harvest.
    harvested: u64,
    start: Duration,
}

impl GrowthSeries {
    /// A series whose first slot begins at `start`. With slots of no length it stays empty.
    #[must_use]
    pub fn new(slot: Duration, start: Duration) -> Self {
        Self { slot, states: Vec::new(), closed: 0, last: (start, 0), harvested: 0, start }
    }

    /// A look at time `at` found `dirty` pages written since the last harvest.
    pub fn look(&mut self, at: Duration, dirty: u64) {
        let (then, before) = self.last;
        let (at, now) = (at.max(then), (self.harvested + dirty).max(before));
        while let Some(end) = self.end_of_slot().filter(|&end| end <= at) {
            let upto = before + share(now - before, end.saturating_sub(then), at - then);
            self.states.push(upto - self.closed);
            self.closed = upto;
        }
        self.last = (at, now);
    }

    /// The same, and from now on the bitmap is clean.
    pub fn harvest(&mut self, at: Duration, dirty: u64) {
        self.look(at, dirty);
        self.harvested = self.last.1;
    }

    /// The states of all whole slots so far.
    #[must_use]
    pub fn states(&self) -> &[u64] {
        &self.states
    }

    /// How long a slot is.
    #[must_use]
    pub fn slot(&self) -> Duration {
        self.slot
    }

    fn end_of_slot(&self) -> Option<Duration> {
        let slots = u32::try_from(self.states.len() + 1).ok()?;
        self.start.checked_add(self.slot.checked_mul(slots)?).filter(|_| !self.slot.is_zero())
    }
}

/// `part / whole` of `amount`, rounded down; all of it when `whole` is nothing.
fn share(amount: u64, part: Duration, whole: Duration) -> u64 {
    let scaled = u128::from(amount) * part.as_nanos();
    let share = scaled.checked_div(whole.as_nanos());
    share.and_then(|share| u64::try_from(share).ok()).unwrap_or(amount)
}

/// The same growth in slots of another length.
pub(crate) fn resampled(states: &[u64], from: Duration, to: Duration) -> Vec<u64> {
    let mut series = GrowthSeries::new(to, Duration::ZERO);
    let (mut at, mut grown) = (Duration::ZERO, 0);
    for state in states {
        (at, grown) = (at.saturating_add(from), grown + state);
        series.look(at, grown);
    }
    series.states
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn looks_in_between_are_put_into_slots_and_nothing_is_lost() {
        let mut series = GrowthSeries::new(ms(100), ms(1000));
        series.look(ms(1050), 10);
        assert_eq!(series.states(), [0; 0]);
        series.look(ms(1250), 50);
        assert_eq!(series.states(), [20, 20]);
        series.harvest(ms(1300), 60);
        series.look(ms(1400), 5);
        assert_eq!(series.states(), [20, 20, 20, 5]);
    }

    #[test]
    fn a_harvest_starts_the_bitmap_but_not_the_series_anew() {
        let mut series = GrowthSeries::new(ms(100), ms(0));
        series.harvest(ms(50), 7);
        series.harvest(ms(100), 3);
        series.look(ms(200), 4);
        assert_eq!(series.states(), [10, 4]);
    }

    #[test]
    fn slots_without_length_and_time_that_stands_still() {
        let mut none = GrowthSeries::new(ms(0), ms(0));
        none.look(ms(1000), 5);
        assert_eq!(none.states(), [0; 0]);
        let mut still = GrowthSeries::new(ms(100), ms(0));
        still.look(ms(0), 5);
        still.look(ms(100), 5);
        assert_eq!(still.states(), [5]);
    }

    #[test]
    fn resampling_keeps_the_sum() {
        assert_eq!(resampled(&[4, 8, 2, 6], ms(100), ms(200)), [12, 8]);
        assert_eq!(resampled(&[4, 8], ms(100), ms(50)), [2, 2, 4, 4]);
    }
}
