//! Comparing two runs: is anything slower, and is that more than noise?

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::plan::Cell;
use crate::run::{Measured, Run};
use crate::statistics::{Interval, median, ratio_interval};

/// Fewer measurements than this of a cell say nothing about noise.
const MIN_TURNS: usize = 3;

/// A figure by which runs are compared; less is better.
struct Figure {
    name: &'static str,
    of: fn(&Measured) -> Option<f64>,
    /// Differences below this are nobody's concern (the figure's unit): a scheduler's tick.
    floor: f64,
}

const FIGURES: [Figure; 2] = [
    Figure { name: "total s", of: |m| Some(m.total), floor: 0.005 },
    Figure { name: "downtime s", of: |m| m.downtime, floor: 0.005 },
];

/// One figure of one cell in both runs.
#[derive(Clone, Debug)]
pub struct Line {
    /// The cell.
    pub cell: Cell,
    /// The figure's name, with its unit.
    pub figure: &'static str,
    /// The medians of both runs.
    pub medians: (f64, f64),
    /// New over base: the ratio of the medians and its 95 % confidence interval.
    pub ratio: Interval,
    /// What it means.
    pub verdict: Verdict,
}

/// What a ratio means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Slower than the bound allows, and surely so: the whole interval lies above the bound.
    Regression,
    /// Faster by as much, as surely.
    Improvement,
    /// Neither.
    Same,
    /// Too few measurements to tell.
    TooFew,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Regression => "REGRESSION",
            Self::Improvement => "improvement",
            Self::Same => "same",
            Self::TooFew => "too few",
        }
    }
}

/// A comparison of two runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// A line for each figure of each cell that both runs have.
    pub lines: Vec<Line>,
    /// Cells of the base of which the new run has nothing: it failed, or was not measured.
    pub missing: Vec<Cell>,
}

/// Compares what two runs have in common. `bound` is the share by which a figure may grow.
#[must_use]
pub fn compare(base: &Run, new: &Run, bound: f64) -> Comparison {
    let (cells, old, new) = (cells_of(base), values_of(base), values_of(new));
    let mut comparison = Comparison { lines: Vec::new(), missing: Vec::new() };
    for cell in cells {
        let Some(new) = new.get(&cell) else {
            comparison.missing.push(cell);
            continue;
        };
        comparison
            .lines
            .extend(FIGURES.iter().filter_map(|figure| line(&cell, figure, &old[&cell], new, bound)));
    }
    comparison
}

fn line(cell: &Cell, figure: &Figure, base: &[&Measured], new: &[&Measured], bound: f64) -> Option<Line> {
    let values = |rows: &[&Measured]| rows.iter().filter_map(|m| (figure.of)(m)).collect::<Vec<_>>();
    let (base, new) = (values(base), values(new));
    let medians = (median(&base)?, median(&new)?);
    let ratio = ratio_interval(&base, &new)?;
    let negligible = (medians.0 - medians.1).abs() < figure.floor;
    let verdict = match ratio {
        _ if base.len() < MIN_TURNS || new.len() < MIN_TURNS => Verdict::TooFew,
        _ if negligible => Verdict::Same,
        ratio if ratio.low > 1.0 + bound => Verdict::Regression,
        ratio if ratio.high < 1.0 / (1.0 + bound) => Verdict::Improvement,
        _ => Verdict::Same,
    };
    Some(Line { cell: cell.clone(), figure: figure.name, medians, ratio, verdict })
}

fn cells_of(run: &Run) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for (row, _) in run.measured(|_| true) {
        if !cells.contains(&row.cell) {
            cells.push(row.cell.clone());
        }
    }
    cells.sort_by_key(ToString::to_string);
    cells
}

fn values_of(run: &Run) -> HashMap<Cell, Vec<&Measured>> {
    let mut values: HashMap<Cell, Vec<&Measured>> = HashMap::new();
    for (row, measured) in run.measured(|_| true) {
        values.entry(row.cell.clone()).or_default().push(measured);
    }
    values
}

impl Comparison {
    /// Whether anything is slower, or missing.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        !self.missing.is_empty() || self.lines.iter().any(|line| line.verdict == Verdict::Regression)
    }

    /// It as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:<11} {:>9} {:>9} {:>6} {:<17} {:<11} CELL\n",
            "FIGURE", "BASE", "NEW", "RATIO", "95 % INTERVAL", "VERDICT"
        );
        for line in &self.lines {
            let (base, new) = line.medians;
            let interval = format!("{:.3} to {:.3}", line.ratio.low, line.ratio.high);
            // Writing to a String does not fail.
            let _ = writeln!(
                table,
                "{:<11} {base:>9.4} {new:>9.4} {:>6.3} {interval:<17} {:<11} {}",
                line.figure,
                line.ratio.middle,
                line.verdict.word(),
                line.cell
            );
        }
        for cell in &self.missing {
            let _ = writeln!(table, "MISSING in the new run: {cell}");
        }
        let count = self.lines.iter().filter(|line| line.verdict == Verdict::Regression).count();
        let _ = write!(
            table,
            "{} figures, {count} regressions, {} cells missing",
            self.lines.len(),
            self.missing.len()
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::plan::Plan;
    use crate::random;
    use crate::run::{Machine, Row};

    /// Ten measurements of about 1 s, with 3 % of noise.
    fn run(slower: f64, seed: u64) -> Run {
        let mut rng = seed;
        let plan = Plan::parse("p", "name = 'p'\ntitle = ''\n[[matrix]]\nmemory = ['16M']\n").unwrap();
        let cell = plan.cells().unwrap().remove(0);
        let mut total = || slower * (1.0 + 0.03 * (random::unit(&mut rng) - 0.5));
        let row = |turn| Row::new(cell.clone(), turn, Ok(Measured { total: total(), ..Measured::default() }));
        Run { dir: PathBuf::new(), plan, machine: Machine::default(), rows: (1..=10).map(row).collect() }
    }

    #[test]
    fn ten_percent_is_found_and_noise_is_not() {
        for seed in 0..20 {
            let same = compare(&run(1.0, seed), &run(1.0, seed + 100), 0.05);
            assert!(!same.is_regression(), "{}", same.table());
            let slower = compare(&run(1.0, seed), &run(1.1, seed + 100), 0.05);
            assert_eq!(slower.lines[0].verdict, Verdict::Regression, "{}", slower.table());
            let faster = compare(&run(1.1, seed), &run(1.0, seed + 100), 0.05);
            assert_eq!(faster.lines[0].verdict, Verdict::Improvement);
        }
    }

    #[test]
    fn a_cell_that_fails_now_is_a_regression() {
        let mut new = run(1.0, 1);
        new.rows.iter_mut().for_each(|row| row.measured = None);
        let comparison = compare(&run(1.0, 2), &new, 0.05);
        assert!(comparison.is_regression() && comparison.table().contains("MISSING"));
        let mut few = run(2.0, 3);
        few.rows.truncate(2);
        assert_eq!(compare(&run(1.0, 2), &few, 0.05).lines[0].verdict, Verdict::TooFew);
    }
}
