//! A run as one page, with the papers' figures redrawn from it.

mod chart;
mod figures;
mod page;
mod tables;

use std::fs;
use std::path::PathBuf;

use crate::Error;
use crate::plan::Cell;
use crate::run::{Measured, Run};
use crate::statistics::{Interval, median_interval};

/// The page's name in the run's directory.
const PAGE: &str = "report.html";

/// One figure of the page.
#[derive(Debug)]
struct Figure {
    /// The file's name without its end.
    name: String,
    /// What it shows, in a sentence.
    caption: String,
    svg: String,
}

/// Draws a run into its directory: a page that needs nothing but itself, and each figure as a file. Returns the page.
///
/// # Errors
/// When a model cannot be run, a figure cannot be drawn, or a file cannot be written.
pub fn draw(run: &Run) -> Result<PathBuf, Error> {
    let sweeps = figures::sweeps(run)?;
    let mut figures = figures::of_sweeps(&sweeps)?;
    figures.extend(figures::of_rounds(run)?);
    figures.extend(figures::of_policies(run)?);
    figures.extend(figures::of_worlds(run)?);
    for figure in &figures {
        write(run, &format!("{}.svg", figure.name), &figure.svg)?;
    }
    let tables = [
        tables::errors(&sweeps),
        tables::predictions(&sweeps),
        tables::ratios(run),
        tables::throughput(run),
        tables::cells_of(run),
    ];
    write(run, PAGE, &page::html(run, &figures, &tables))
}

fn write(run: &Run, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = run.dir.join(name);
    fs::write(&path, text).map_err(|cause| Error::io(format!("write {}", path.display()), cause))?;
    Ok(path)
}

/// The different values of something, in the order in which they come.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}

/// The cells of which a run has measurements, in the order of its plan, so that figures of the same axes have the same
/// colours. They were measured in another one.
fn cells(run: &Run) -> Vec<&Cell> {
    let planned = run.plan.cells().unwrap_or_default();
    let mut cells = distinct(run.measured(|_| true).map(|(row, _)| &row.cell));
    cells.sort_by_key(|cell| planned.iter().position(|other| other == *cell).unwrap_or(planned.len()));
    cells
}

/// A figure of a cell, with its interval over the turns.
fn figure_of(run: &Run, cell: &Cell, figure: impl Fn(&Measured) -> Option<f64>) -> Option<Interval> {
    let values = run.measured(|other| other == cell).filter_map(|(_, m)| figure(m));
    // A migration that was over at once has no rate.
    median_interval(&values.filter(|value| value.is_finite()).collect::<Vec<_>>())
}

/// A name of letters, digits and dashes.
fn plain(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::{Machine, Row};

    #[test]
    fn cells_come_in_the_order_of_the_plan() {
        let text = "name = 'a'\ntitle = 'b'\n[[matrix]]\nmemory = ['16M', '32M', '64M']\n";
        let plan = Plan::parse("a", text).unwrap();
        let planned = plan.cells().unwrap();
        let row = |index: usize| Row::new(planned[index].clone(), 1, Ok(Measured::default()));
        let rows = [2, 0, 2, 1].map(row).into();
        let run = Run { dir: PathBuf::new(), plan, machine: Machine::describe(), rows };
        assert_eq!(cells(&run), planned.iter().collect::<Vec<_>>());
    }
}
