//! The tables of a run.

use super::figures::{Point, Sweep};
use super::{cells, distinct, figure_of};
use crate::plan::{Cell, Model};
use crate::predict::Prediction;
use crate::run::{Measured, Run};
use crate::statistics::{Interval, median, median_interval};

/// Milliseconds in a second.
const MS: f64 = 1e3;
/// Bits in a gigabit.
const GIGABIT: f64 = 1e9;
/// Parts of a whole as percent.
const PERCENT: f64 = 100.0;

/// A table, ready to be shown.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The mean errors of the models: Akoush and others, Table II; and that of measuring again.
pub(super) fn errors(sweeps: &[Sweep]) -> Table {
    let of_sweep = |sweep| {
        let models = [Model::Avg, Model::Hist]
            .map(|model| error_row(sweep, model.name(), &|point| error_of_model(point, model)));
        models.into_iter().chain([error_row(sweep, "another turn", &error_of_turns)]).flatten()
    };
    Table {
        title: "Prediction mean error".into(),
        note: "As Table II of Akoush and others (2010), who had 1.6 to 3.8 % for the total time and 3.3 to 9.3 % for the \
               downtime: the mean over the dirty rates of |predicted / measured - 1|. \"Another turn\" is the same for \
               each turn as predicted by the median of the other turns of its cell: what cannot be measured again \
               cannot be predicted."
            .into(),
        head: vec!["memory", "link", "stop", "model", "total time", "downtime"],
        rows: sweeps.iter().flat_map(of_sweep).collect(),
    }
}

/// The means of the errors of total time and downtime over the points for which there are some.
fn error_row(
    sweep: &Sweep,
    model: &str,
    errors: &dyn Fn(&Point) -> Option<(f64, f64)>,
) -> Option<Vec<String>> {
    let (total, downtime) = mean_error(sweep, errors)?;
    let Cell { memory, link, stop, .. } = &sweep.cell;
    let words = [memory.as_str(), link, stop, model].map(str::to_owned);
    let percent = [total, downtime].map(|error| format!("{:.1} %", error * PERCENT));
    Some(words.into_iter().chain(percent).collect())
}

fn mean_error(sweep: &Sweep, errors: impl Fn(&Point) -> Option<(f64, f64)>) -> Option<(f64, f64)> {
    mean(&sweep.points.iter().filter_map(errors).collect::<Vec<_>>())
}

fn mean(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = pairs.len() as f64;
    let sum = pairs.iter().copied().reduce(|a, b| (a.0 + b.0, a.1 + b.1));
    sum.map(|(total, downtime)| (total / count, downtime / count))
}

fn errors_of(said: &Prediction, total: f64, downtime: f64) -> (f64, f64) {
    ((said.total / total - 1.0).abs(), (said.downtime / downtime - 1.0).abs())
}

fn said(point: &Point, model: Model) -> Option<&Prediction> {
    point.predictions.iter().find(|(other, _)| *other == model).map(|(_, said)| said)
}

fn error_of_model(point: &Point, model: Model) -> Option<(f64, f64)> {
    said(point, model).map(|said| errors_of(said, point.total, point.downtime))
}

/// How well the other turns of a point predict each of its turns.
fn error_of_turns(point: &Point) -> Option<(f64, f64)> {
    let of_turn = |(index, turn): (usize, &Prediction)| {
        let others = || point.turns.iter().enumerate().filter(|(other, _)| *other != index);
        let middle = |figure: fn(&Prediction) -> f64| {
            median(&others().map(|(_, turn)| figure(turn)).collect::<Vec<_>>())
        };
        let others = Prediction { total: middle(|m| m.total)?, downtime: middle(|m| m.downtime)? };
        Some(errors_of(&others, turn.total, turn.downtime))
    };
    mean(&point.turns.iter().enumerate().filter_map(of_turn).collect::<Vec<_>>())
}

/// What was measured and what each model says, point by point.
pub(super) fn predictions(sweeps: &[Sweep]) -> Table {
    let cell = |sweep: &Sweep, point: &Point| {
        let Cell { memory, link, .. } = &sweep.cell;
        let figures = |measured: f64, figure: fn(&Prediction) -> f64, scale: f64, digits: usize| {
            let models = [Model::Avg, Model::Hist].map(|model| said(point, model).map(figure));
            let show = |value: Option<f64>| {
                value.map(|value| format!("{:.digits$}", value * scale)).unwrap_or_default()
            };
            [Some(measured), models[0], models[1]].map(show)
        };
        let total = figures(point.total, |p| p.total, 1.0, 2);
        let downtime = figures(point.downtime, |p| p.downtime, MS, 1);
        let axes = [memory.clone(), link.clone(), format!("{:.0}", point.rate)];
        axes.into_iter().chain(total).chain(downtime).collect()
    };
    let points = |sweep: &Sweep| sweep.points.iter().map(|point| cell(sweep, point)).collect::<Vec<_>>();
    let has_models = |sweep: &&Sweep| sweep.points.iter().any(|point| !point.predictions.is_empty());
    Table {
        title: "Measured and predicted".into(),
        note: "Medians; total time in s, downtime in ms.".into(),
        head: vec!["memory", "link", "pages/s", "total", "AVG", "HIST", "downtime", "AVG", "HIST"],
        rows: sweeps.iter().filter(has_models).flat_map(points).collect(),
    }
}

/// Our goodput over that of others, in pairs of the same turn.
pub(super) fn ratios(run: &Run) -> Table {
    let cells = cells(run);
    let is_warm = |cell: &Cell| cell.world.ends_with("-warm");
    let ours = cells.iter().filter(|cell| cell.is_ours() && cell.workload == "idle");
    let alike = |a: &Cell, b: &Cell| {
        a.memory == b.memory && a.link == b.link && is_warm(a) == is_warm(b) && !b.is_ours()
    };
    let row = |our: &Cell, other: &Cell| {
        let ratio = paired(run, our, other)?;
        Some(vec![
            our.memory.clone(),
            our.link.clone(),
            our.stop.clone(),
            our.world.clone(),
            other.world.clone(),
            with_interval(ratio, 1.0, 2),
        ])
    };
    let pairs =
        ours.flat_map(|our| cells.iter().filter(|other| alike(our, other)).map(move |other| (our, other)));
    Table {
        title: "Ours against others".into(),
        note: "Our goodput divided by theirs: the median over pairs of the same turn, and its 95 % interval. Above 1 ours \
               is faster. Warm is compared with warm: both had touched the memory before the first byte came."
            .into(),
        head: vec!["memory", "link", "stop", "ours", "against", "ratio"],
        rows: pairs.filter_map(|(our, other)| row(our, other)).collect(),
    }
}

fn paired(run: &Run, our: &Cell, other: &Cell) -> Option<Interval> {
    let theirs =
        |turn| run.measured(|cell| cell == other).find(|(row, _)| row.turn == turn).map(|(_, m)| m.goodput());
    let ours = run.measured(|cell| cell == our);
    let ratios = ours.filter_map(|(row, m)| Some(m.goodput() / theirs(row.turn)?));
    median_interval(&ratios.filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect::<Vec<_>>())
}

/// What whole maps and jumbo frames are worth: Akoush and others, section IV-D.
pub(super) fn throughput(run: &Run) -> Table {
    let fast = |cell: &Cell| cell.world == "host" && cell.workload == "idle" && cell.link.starts_with("10G");
    let cells: Vec<&Cell> = cells(run).into_iter().filter(|cell| fast(cell)).collect();
    let row = |cell: &Cell| {
        let speed = figure_of(run, cell, |m| Some(m.link_speed()))?;
        Some(vec![cell.memory.clone(), cell.link.clone(), cell.map.clone(), with_interval(speed, GIGABIT, 2)])
    };
    let mut rows: Vec<_> = cells.iter().filter_map(|cell| row(cell)).collect();
    if distinct(cells.iter().map(|cell| (&cell.link, &cell.map))).len() < 2 {
        rows.clear();
    } else {
        let paper =
            |link: &str, map: &str, speed: &str| ["1,024 MB", link, map, speed].map(str::to_owned).to_vec();
        rows.push(paper("10 Gbit/s, 1500 (the paper)", "batch", "3.2"));
        rows.push(paper("10 Gbit/s, 9000 (the paper)", "full", "7.12"));
    }
    Table {
        title: "Throughput at 10 Gbit/s".into(),
        note: "The stream's Gbit/s in the first round, beside section IV-D of Akoush and others (2010)."
            .into(),
        head: vec!["memory", "link", "map", "Gbit/s"],
        rows,
    }
}

/// Every cell with its medians.
pub(super) fn cells_of(run: &Run) -> Table {
    let mut head = Cell::AXES.to_vec();
    head.extend([
        "turns",
        "total, s",
        "downtime, ms",
        "guest's gap, ms",
        "rounds",
        "sent / memory",
        "Gbit/s",
        "CPU, s",
        "stolen, %",
    ]);
    Table {
        title: "All measurements".into(),
        note: "Medians, and in brackets their 95 % intervals.".into(),
        head,
        rows: cells(run).iter().map(|cell| row_of(run, cell)).collect(),
    }
}

fn row_of(run: &Run, cell: &Cell) -> Vec<String> {
    let text = |of: fn(&Measured) -> Option<f64>, unit: f64, digits| {
        figure_of(run, cell, of).map_or_else(String::new, |interval| with_interval(interval, unit, digits))
    };
    let memory = cell.pages().unwrap_or(1) as f64;
    let sent = figure_of(run, cell, |m| Some(m.pages as f64 / memory));
    let mut row: Vec<String> = Cell::AXES.map(|axis| cell.axis(axis).to_owned()).to_vec();
    row.extend([
        run.measured(|other| other == cell).count().to_string(),
        text(|m| Some(m.total), 1.0, 3),
        text(|m| m.downtime, 1.0 / MS, 1),
        text(|m| m.gap, 1.0 / MS, 1),
        text(|m| Some(m.rounds.len() as f64), 1.0, 0),
        sent.map_or_else(String::new, |sent| format!("{:.2}", sent.middle)),
        text(|m| Some(m.goodput()), GIGABIT, 2),
        text(|m| m.cpu, 1.0, 2),
        text(|m| m.stolen, 1.0 / PERCENT, 1),
    ]);
    row
}

/// `7.12 (6.9 to 7.2)`.
fn with_interval(interval: Interval, unit: f64, digits: usize) -> String {
    let Interval { low, middle, high } = interval;
    format!("{:.digits$} ({:.digits$} to {:.digits$})", middle / unit, low / unit, high / unit)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::figures::sweeps;

    #[test]
    fn turns_predict_each_other() {
        let turns = [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)];
        let turns = turns.map(|(total, downtime)| Prediction { total, downtime }).to_vec();
        let mut point = Point { rate: 0.0, total: 2.0, downtime: 2.0, predictions: Vec::new(), turns };
        // 2.5 for 1, 2 for 2, 1.5 for 3.
        let (total, downtime) = error_of_turns(&point).unwrap();
        assert!((total - (1.5 + 0.0 + 0.5) / 3.0).abs() < 1e-12 && downtime == 0.0, "{total} {downtime}");
        point.turns.truncate(1);
        assert_eq!(error_of_turns(&point), None);
    }

    #[test]
    fn the_models_are_as_good_as_the_papers() {
        /// The worst rows of Akoush and others, Table II.
        const WORST: (f64, f64) = (0.038, 0.093);
        let run = Run::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runs/akoush-table2")).unwrap();
        let sweeps = sweeps(&run).unwrap();
        // Those of 100 Mbit/s were measured only once.
        let held: Vec<_> = sweeps.iter().filter(|sweep| !sweep.cell.link.starts_with("100M/")).collect();
        assert_eq!((sweeps.len(), held.len()), (6, 4));
        for sweep in held {
            let again = mean_error(sweep, error_of_turns).unwrap();
            for model in [Model::Avg, Model::Hist] {
                let (total, downtime) = mean_error(sweep, |point| error_of_model(point, model)).unwrap();
                let what = format!("{} {}: {total}, {downtime}, {again:?}", sweep.cell, model.name());
                // What cannot be measured again cannot be predicted.
                assert!(total <= WORST.0 || again.0 > WORST.0, "{what}");
                assert!(downtime <= WORST.1 || again.1 > WORST.1, "{what}");
            }
        }
    }
}
