//! The order of a run's measurements, and how long they take.

use std::collections::HashMap;
use std::time::Duration;

use crate::plan::Cell;
use crate::random;

/// Every cell once in each of its turns, each turn in another order: what drifts on a machine then meets all cells alike,
/// and cells of the same turn are pairs to compare. The same for every run of a plan.
pub(super) fn interleaved(turns: &[(Cell, u32)]) -> Vec<(Cell, u32)> {
    let last = turns.iter().map(|(_, turns)| *turns).max().unwrap_or(0);
    let cells_of =
        |turn| turns.iter().filter(move |(_, turns)| *turns >= turn).map(|(cell, _)| cell.clone()).collect();
    (1..=last)
        .flat_map(|turn| shuffled(cells_of(turn), turn).into_iter().map(move |cell| (cell, turn)))
        .collect()
}

/// Fisher and Yates' shuffle, by the turn's own numbers.
fn shuffled(mut cells: Vec<Cell>, turn: u32) -> Vec<Cell> {
    let mut rng = random::fork(0, u64::from(turn));
    for last in (1..cells.len()).rev() {
        let other = usize::try_from(random::below(&mut rng, last as u64 + 1)).unwrap_or(last);
        cells.swap(last, other);
    }
    cells
}

/// How long the measurements took.
#[derive(Debug, Default)]
pub(super) struct Times {
    of: HashMap<Cell, Duration>,
    sum: Duration,
    count: u32,
}

impl Times {
    pub(super) fn add(&mut self, cell: &Cell, time: Duration) {
        self.of.insert(cell.clone(), time);
        self.sum += time;
        self.count += 1;
    }

    /// How long these will take: each as long as it did the last time, a new one as long as the average.
    pub(super) fn left<'a>(&self, cells: impl Iterator<Item = &'a Cell>) -> Duration {
        let average = self.sum.checked_div(self.count).unwrap_or_default();
        cells.map(|cell| self.of.get(cell).copied().unwrap_or(average)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(n: usize) -> Vec<Cell> {
        (0..n).map(|i| Cell { memory: i.to_string(), ..Cell::default() }).collect()
    }

    #[test]
    fn every_turn_has_every_cell_in_another_order() {
        let cells = cells(20);
        let turns: Vec<_> = cells.iter().map(|cell| (cell.clone(), 2)).collect();
        let all = interleaved(&turns);
        let turn = |n| {
            all.iter().filter(move |(_, turn)| *turn == n).map(|(cell, _)| cell.clone()).collect::<Vec<_>>()
        };
        assert_ne!(turn(1), turn(2));
        assert!(cells.iter().all(|cell| turn(1).contains(cell) && turn(2).contains(cell)));
        assert_eq!((all.len(), interleaved(&turns)), (40, all.clone()));
    }

    #[test]
    fn a_cell_is_measured_as_often_as_its_matrix_says() {
        let cells = cells(3);
        let turns: Vec<_> = cells.iter().cloned().zip([1, 3, 2]).collect();
        let all = interleaved(&turns);
        let of = |cell| all.iter().filter(|(c, _)| c == cell).map(|(_, turn)| *turn).collect::<Vec<_>>();
        assert_eq!((of(&cells[0]), of(&cells[1]), of(&cells[2])), (vec![1], vec![1, 2, 3], vec![1, 2]));
        assert!(all.is_sorted_by_key(|(_, turn)| *turn));
    }

    #[test]
    fn the_time_left_knows_what_was_measured_before() {
        let cells = cells(3);
        let mut times = Times::default();
        times.add(&cells[0], Duration::from_secs(1));
        times.add(&cells[1], Duration::from_secs(5));
        assert_eq!(times.left(cells.iter()), Duration::from_secs(1 + 5 + 3));
    }
}
