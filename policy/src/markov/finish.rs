//! Where on a predicted curve to suspend the guest.

use std::ops::RangeInclusive;

/// The moment that Algorithm 1 finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finish {
    /// Slots from now.
    pub slot: usize,
    /// Pages that wait to be sent then.
    pub pages: f64,
}

/// Algorithm 1, `FindFinishTime`: when to suspend a guest that will dirty `curve[k]` pages in slot k from now, that
/// has `base` pages to be sent now, over a link that carries `rate` pages per slot.
///
/// Snapshots follow each other as rounds do: while one is sent, the next grows, for as many whole slots as the
/// sending takes and at least one. Of the moments at which one has been sent, on the curve, the one with the
/// smallest next snapshot is the finish; now is such a moment as well.
///
/// The printed pseudo-code is damaged. Read here: the inner loop (`while current_size not reach finish time:
/// update next_t and next_size`) goes slot by slot until the snapshot is sent, then comes the recursion with the
/// grown snapshot; that has the O(n²) which the paper states, and at worst. The paper may also wait before the next
/// snapshot begins (`j <= k`, section 4); the engine's rounds do not wait. Of equally small snapshots the first is
/// taken: a later one costs time and gives nothing.
#[must_use]
pub fn find_finish(curve: &[f64], base: f64, rate: f64) -> Finish {
    let mut best = Finish { slot: 0, pages: base };
    let mut current = best;
    while current.pages > 0.0 && current.slot < curve.len() {
        let left = &curve[current.slot..];
        let Some(slots) = slots_to_send(current.pages, rate, left.len()) else { break };
        current = Finish { slot: current.slot + slots, pages: left[..slots].iter().sum() };
        if current.pages < best.pages {
            best = current;
        }
    }
    best
}

/// How many whole slots these pages take, 1 to `most`; `None` when it is more.
fn slots_to_send(pages: f64, rate: f64, most: usize) -> Option<usize> {
    (1..=most).find(|&slots| rate * slots as f64 >= pages)
}

/// The growth platform: the segment from state i to state j, both included and j - i = `period`, in which the
/// curve grows least (section 3.2: min d_ij with d_ij the sum of s_i..s_j). The first of equals; `None` on a curve
/// with fewer than `period` + 1 states.
#[must_use]
pub fn growth_platform(curve: &[f64], period: usize) -> Option<RangeInclusive<usize>> {
    let sums = curve.windows(period.checked_add(1)?).map(|segment| segment.iter().sum::<f64>());
    let (start, _) = sums.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(start..=start + period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finish_is_where_the_least_is_left() {
        // 100 pages at 50 a slot: two slots, 40 dirty; one slot, 30; one, 5; one, 60; one, 60.
        let curve = [20.0, 20.0, 30.0, 5.0, 60.0, 60.0, 60.0];
        assert_eq!(find_finish(&curve, 100.0, 50.0), Finish { slot: 4, pages: 5.0 });
    }

    #[test]
    fn a_slow_stretch_inside_of_a_round_is_no_moment_to_stop() {
        // 100 pages at 25 a slot: four slots, the calm one among them.
        let curve = [30.0, 0.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0];
        assert_eq!(find_finish(&curve, 100.0, 25.0), Finish { slot: 4, pages: 90.0 });
    }

    #[test]
    fn now_is_best_when_the_guest_writes_faster_than_the_link_sends() {
        assert_eq!(find_finish(&[50.0; 9], 40.0, 20.0), Finish { slot: 0, pages: 40.0 });
    }

    #[test]
    fn a_snapshot_of_nothing_ends_the_search() {
        assert_eq!(find_finish(&[0.0, 0.0, 9.0], 40.0, 40.0), Finish { slot: 1, pages: 0.0 });
        assert_eq!(find_finish(&[9.0; 3], 0.0, 40.0), Finish { slot: 0, pages: 0.0 });
    }

    #[test]
    fn of_equals_the_first() {
        assert_eq!(find_finish(&[9.0; 5], 40.0, 40.0), Finish { slot: 1, pages: 9.0 });
    }

    #[test]
    fn a_link_that_stands_still_finishes_now() {
        for rate in [0.0, -1.0, f64::NAN] {
            assert_eq!(find_finish(&[9.0; 5], 40.0, rate), Finish { slot: 0, pages: 40.0 });
        }
    }

    #[test]
    fn the_growth_platform_is_the_slowest_segment() {
        let curve = [9.0, 1.0, 8.0, 3.0, 2.0, 3.0, 9.0];
        // j - i = 2: three states. 3 + 2 + 3 = 8, less than 1 + 8 + 3.
        assert_eq!(growth_platform(&curve, 2), Some(3..=5));
        assert_eq!(growth_platform(&curve, 0), Some(1..=1));
        assert_eq!(growth_platform(&curve, 7), None);
        assert_eq!(growth_platform(&curve, usize::MAX), None);
    }
}
