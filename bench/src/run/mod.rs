//! A run: every cell of a plan, measured again and again, interleaved, and kept as rows.
//!
//! A run is a directory: `plan.toml`, `machine.json`, `rows.jsonl` (a line a measurement, the one that counts) and
//! `rows.csv` (the same for spreadsheets, without the rounds). A run that was interrupted goes on where it was: what
//! has its row is not measured again.

mod cpu;
mod machine;
mod order;
pub(crate) mod recording;
mod row;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Error;
use crate::bed::Network;
use crate::plan::{Cell, Model, Plan};
use crate::{predict, world};

pub(crate) use cpu::{children_seconds, cpu_seconds_of};
pub use machine::Machine;
pub use row::{Measured, RoundRow, Row};

use cpu::Watch;
use row::Rows;

/// The plan as it was when the run began.
const PLAN: &str = "plan.toml";
/// The machine on which it ran.
const MACHINE: &str = "machine.json";
/// How often a measurement that fails is tried anew; a row tells of the last failure.
const TRIES: u32 = 2;
/// How often one that was disturbed is repeated, if the plan says what that is.
const QUIETER: u32 = 4;

/// How far a run is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Measurements done, this one too.
    pub done: usize,
    /// Measurements of the run.
    pub of: usize,
    /// How much longer it takes, judged by how long it took so far; a cell that was measured before by itself.
    pub left: Duration,
    /// The one that was just done.
    pub row: &'a Row,
}

/// A run that was read back, to be drawn or compared.
#[derive(Debug)]
pub struct Run {
    /// Where it is.
    pub dir: PathBuf,
    /// Its plan.
    pub plan: Plan,
    /// Its machine.
    pub machine: Machine,
    /// Its rows, in the order in which they were measured.
    pub rows: Vec<Row>,
}

impl Run {
    /// Reads a run's directory.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let plan = Plan::parse(&dir.join(PLAN).display().to_string(), &read(&dir.join(PLAN))?)?;
        let machine = Machine::parse(&read(&dir.join(MACHINE))?)?;
        Ok(Self { dir: dir.to_owned(), plan, machine, rows: Rows::read(dir)? })
    }

    /// What was measured of the cells that `wanted` likes, in order.
    pub fn measured(&self, wanted: impl Fn(&Cell) -> bool) -> impl Iterator<Item = (&Row, &Measured)> {
        self.rows
            .iter()
            .filter(move |row| wanted(&row.cell))
            .filter_map(|row| Some((row, row.measured.as_ref()?)))
    }
}

/// Runs a plan in a directory, from the start or where it was interrupted. `heard` is told of each measurement.
///
/// # Errors
/// When the directory holds another plan's run, a cell is impossible, or a row cannot be written. A measurement that
/// fails is no error but a row that says so.
pub fn run(plan: &Plan, text: &str, dir: &Path, mut heard: impl FnMut(&Progress<'_>)) -> Result<(), Error> {
    let turns = plan.turns()?;
    turns.iter().try_for_each(|(cell, _)| cell.check_possible())?;
    begin(text, dir)?;
    record_guests(plan, turns.iter().map(|(cell, _)| cell), dir)?;
    let mut rows = Rows::open(dir)?;
    let done: HashSet<(Cell, u32)> = rows.done().collect();
    let all = order::interleaved(&turns);
    let mut left: Vec<_> = all.iter().filter(|(cell, turn)| !done.contains(&(cell.clone(), *turn))).collect();
    left.reverse();
    let mut times = order::Times::default();
    while let Some((cell, turn)) = left.pop() {
        let start = Instant::now();
        let row = Row::new(cell.clone(), *turn, measure(cell, plan));
        times.add(cell, start.elapsed());
        rows.push(&row)?;
        let waiting = left.iter().map(|(cell, _)| cell);
        heard(&Progress {
            done: all.len() - left.len(),
            of: all.len(),
            left: times.left(waiting),
            row: &row,
        });
    }
    rows.write_csv()
}

fn measure(cell: &Cell, plan: &Plan) -> Result<Measured, Error> {
    quietest(plan, || {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match once(cell, plan) {
                Err(_) if tries > 0 => {}
                result => return result,
            }
        }
    })
}

/// The first measurement that was disturbed no more than that, or the least disturbed of some. What it came to has no part
/// in the choice.
fn quietest(plan: &Plan, mut attempt: impl FnMut() -> Result<Measured, Error>) -> Result<Measured, Error> {
    let mut best = attempt()?;
    for _ in 0..QUIETER {
        if plan.quiet.is_none_or(|most| best.disturbance() <= most) {
            break;
        }
        // One that failed is no better.
        if let Ok(other) = attempt()
            && other.disturbance() < best.disturbance()
        {
            best = other;
        }
    }
    Ok(best)
}

fn once(cell: &Cell, plan: &Plan) -> Result<Measured, Error> {
    let network = Network::new(cell.link()?, Duration::from_micros(plan.rtt_us))?;
    let watch = Watch::start();
    let measured = world::measure(cell, &network);
    let (stolen, stolen_down) =
        watch.stolen(measured.as_ref().ok().and_then(|measured| measured.stood.as_ref()));
    Ok(Measured { stolen: Some(stolen), stolen_down, ..measured? })
}

/// Makes the directory, or finds the same plan's run in it.
fn begin(text: &str, dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|cause| Error::io(format!("make {}", dir.display()), cause))?;
    let plan = dir.join(PLAN);
    if plan.exists() {
        if read(&plan)? != text {
            return Err(Error::Refused(format!(
                "{} is a run of another plan; choose another --out",
                dir.display()
            )));
        }
        return Ok(());
    }
    write(&dir.join(MACHINE), &Machine::describe().to_json()?)?;
    write(&plan, text)
}

/// What HIST needs to know of each guest, recorded before anything is measured.
fn record_guests<'a>(plan: &Plan, cells: impl Iterator<Item = &'a Cell>, dir: &Path) -> Result<(), Error> {
    if !plan.predict.contains(&Model::Hist) {
        return Ok(());
    }
    for cell in cells {
        let file = recording::file(dir, cell);
        if predict::is_predictable(cell) && !file.exists() {
            recording::record(cell, &file)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|cause| Error::io(format!("read {}", path.display()), cause))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|cause| Error::io(format!("write {}", path.display()), cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan that allows so much.
    fn plan(bounds: &str) -> Plan {
        let text = format!("name = \"a\"\ntitle = \"b\"\n{bounds}\n[[matrix]]\nmemory = [\"1M\"]");
        Plan::parse("a test", &text).unwrap()
    }

    /// What is measured when so much is stolen of the whole and of the downtime, one after the other; how often, and the
    /// number of the chosen.
    fn chosen(bounds: &str, stolen: &[(f64, f64)]) -> (u64, u64) {
        let (mut pages, mut left) = (0, stolen.iter());
        let attempt = || {
            let &(stolen, stolen_down) = left.next().unwrap();
            pages += 1;
            let stolen_down = Some(stolen_down);
            Ok(Measured { pages, stolen: Some(stolen), stolen_down, ..Measured::default() })
        };
        let measured = quietest(&plan(bounds), attempt).unwrap();
        (pages, measured.pages)
    }

    #[test]
    fn a_disturbed_measurement_is_repeated_where_the_plan_says_so() {
        let whole = |of: [f64; 6]| of.map(|stolen| (stolen, 0.0));
        let some = whole([0.3, 0.1, 0.01, 0.0, 0.2, 0.0]);
        assert_eq!(chosen("", &some), (1, 1));
        assert_eq!(chosen("quiet = 0.02", &some), (3, 3));
        assert_eq!(chosen("quiet = 0.02", &whole([0.3, 0.1, 0.2, 0.4, 0.5, 0.0])), (5, 2));
    }

    #[test]
    fn so_is_one_whose_downtime_was_disturbed() {
        assert_eq!(chosen("quiet = 0.02", &[(0.0, 0.1), (0.01, 0.0)]), (2, 2));
        assert_eq!(
            chosen("quiet = 0.02", &[(0.0, 0.1), (0.05, 0.0), (0.0, 0.2), (0.1, 0.1), (0.3, 0.0)]),
            (5, 2)
        );
    }
}
