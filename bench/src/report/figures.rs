//! The figures of a run.

use rayon::prelude::*;

use super::chart::{Bars, Chart, Scale, Series, Style};
use super::{Figure, cells, distinct, figure_of, plain};
use crate::Error;
use crate::plan::{Cell, Model};
use crate::predict::{self, Prediction};
use crate::run::{Measured, Run};

/// The guest's memory before the first round, in a figure of rounds.
const START: f64 = 0.0;
/// Series that one figure can show legibly.
const MAX_SERIES: usize = 7;
/// Milliseconds in a second.
const MS: f64 = 1e3;
/// Bytes in a MiB.
const MIB: f64 = (1 << 20) as f64;
/// Bits in a gigabit.
const GIGABIT: f64 = 1e9;

/// A guest of one size over one link at several dirty rates.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Any of its cells.
    pub(super) cell: Cell,
    /// The points, by rate.
    pub(super) points: Vec<Point>,
}

/// One dirty rate. Times are seconds.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) rate: f64,
    pub(super) total: f64,
    pub(super) downtime: f64,
    /// What each model of the plan says.
    pub(super) predictions: Vec<(Model, Prediction)>,
    /// What each turn came to.
    pub(super) turns: Vec<Prediction>,
}

fn same_sweep(a: &Cell, b: &Cell) -> bool {
    let axes = ["world", "memory", "link", "stop", "bandwidth", "map"];
    axes.iter().all(|axis| a.axis(axis) == b.axis(axis))
}

/// The sweeps of a run, with their predictions.
pub(super) fn sweeps(run: &Run) -> Result<Vec<Sweep>, Error> {
    let cells: Vec<&Cell> = cells(run).into_iter().filter(|cell| predict::is_predictable(cell)).collect();
    let mut sweeps: Vec<Vec<&Cell>> = Vec::new();
    for cell in cells {
        match sweeps.iter_mut().find(|sweep| same_sweep(sweep[0], cell)) {
            Some(sweep) => sweep.push(cell),
            None => sweeps.push(vec![cell]),
        }
    }
    // Idle and two rates are the least that is a curve.
    sweeps.into_iter().filter(|sweep| sweep.len() > 2).map(|cells| sweep(run, &cells)).collect()
}

fn sweep(run: &Run, cells: &[&Cell]) -> Result<Sweep, Error> {
    let points: Result<Vec<_>, Error> = cells.par_iter().map(|cell| point(run, cell)).collect();
    let mut points: Vec<Point> = points?.into_iter().flatten().collect();
    points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    Ok(Sweep { cell: cells[0].clone(), points })
}

fn point(run: &Run, cell: &Cell) -> Result<Option<Point>, Error> {
    let total = figure_of(run, cell, |m| Some(m.total));
    let downtime = figure_of(run, cell, |m| m.downtime);
    let (Some(rate), Some(total), Some(downtime)) = (cell.rate(), total, downtime) else { return Ok(None) };
    let mut predictions = Vec::new();
    for &model in &run.plan.predict {
        let prediction = predict::by_model(run, model, cell)?;
        predictions.extend(prediction.map(|prediction| (model, prediction)));
    }
    let turn = |(_, m): (_, &Measured)| Some(Prediction { total: m.total, downtime: m.downtime? });
    let turns = run.measured(|other| other == cell).filter_map(turn).collect();
    Ok(Some(Point { rate, total: total.middle, downtime: downtime.middle, predictions, turns }))
}

/// Total time and downtime over the dirty rate, all links in one figure: Akoush and others, Figures 1 and 3.
pub(super) fn of_sweeps(sweeps: &[Sweep]) -> Result<Vec<Figure>, Error> {
    let group = |sweep: &Sweep| {
        let Cell { memory, stop, bandwidth, map, .. } = &sweep.cell;
        [memory, stop, bandwidth, map].map(Clone::clone)
    };
    let mut figures = Vec::new();
    for axes in distinct(sweeps.iter().map(group)) {
        let members: Vec<&Sweep> = sweeps.iter().filter(|sweep| group(sweep) == axes).collect();
        let what = format!("{} guest, stop policy {}", axes[0], axes[1]);
        let total = Curve { y: "total time, s", measured: |p| p.total, predicted: |p| p.total };
        let downtime = Curve { y: "downtime, s", measured: |p| p.downtime, predicted: |p| p.downtime };
        for (curve, title) in [(total, "Total migration time"), (downtime, "Downtime")] {
            let chart = Chart {
                title: format!("{title}: {what}"),
                x: "page dirty rate, pages/s",
                y: curve.y,
                scale: Scale::Log,
                series: curve.series(&members),
            };
            let name = plain(&format!("{title}-{}", axes.join("-"))).to_lowercase();
            let caption = format!(
                "{title} over the page dirty rate for each link, as in Figure 1 of Akoush and others (2010); {what}. \
                 Points are medians of what was measured, lines are what the models say. Both axes are logarithmic; \
                 idle guests are in the table."
            );
            figures.extend(chart.draw()?.map(|svg| Figure { name, caption, svg }));
        }
    }
    Ok(figures)
}

/// One figure of a point, measured and predicted.
struct Curve {
    y: &'static str,
    measured: fn(&Point) -> f64,
    predicted: fn(&Prediction) -> f64,
}

impl Curve {
    fn series(&self, sweeps: &[&Sweep]) -> Vec<Series> {
        let of_link = |(colour, sweep): (usize, &&Sweep)| {
            let link = &sweep.cell.link;
            let points = |value: &dyn Fn(&Point) -> Option<f64>| {
                // A logarithmic axis has no zero.
                let busy = sweep.points.iter().filter(|point| point.rate > 0.0);
                busy.filter_map(|point| Some((point.rate, value(point)?))).collect::<Vec<_>>()
            };
            let measured = points(&|point| Some((self.measured)(point)));
            let mut series = vec![Series {
                name: format!("{link}, measured"),
                colour,
                style: Style::Measured,
                points: measured,
            }];
            for (model, style) in [(Model::Avg, Style::Model), (Model::Hist, Style::OtherModel)] {
                let predicted = |point: &Point| {
                    let said = point.predictions.iter().find(|(other, _)| *other == model);
                    said.map(|(_, prediction)| (self.predicted)(prediction).max(f64::MIN_POSITIVE))
                };
                let (name, points) = (format!("{link}, {}", model.name()), points(&predicted));
                if !points.is_empty() {
                    series.push(Series { name, colour, style, points });
                }
            }
            series
        };
        sweeps.iter().enumerate().flat_map(of_link).collect()
    }
}

/// Dirty pages after each round, of the first turn.
pub(super) fn of_rounds(run: &Run) -> Result<Vec<Figure>, Error> {
    let group = |cell: &Cell| [cell.memory.clone(), cell.link.clone()];
    let busy = |cell: &Cell| cell.is_ours() && cell.workload != "idle";
    let mut figures = Vec::new();
    for axes in distinct(run.measured(busy).map(|(row, _)| group(&row.cell))) {
        let first = run.measured(busy).filter(|(row, _)| row.turn == 1 && group(&row.cell) == axes);
        let series = first.take(MAX_SERIES).enumerate().map(|(colour, (row, measured))| Series {
            name: format!("{}, {}", row.cell.workload, policies(&row.cell)),
            colour,
            style: Style::Measured,
            points: remaining(measured),
        });
        let chart = Chart {
            title: format!("Remaining dirty pages: {} over {}", axes[0], axes[1]),
            x: "round",
            y: "dirty pages, each of 4 KiB",
            scale: Scale::Linear,
            series: series.collect(),
        };
        let name = plain(&format!("rounds-{}", axes.join("-")));
        let caption = format!(
            "Pages that still had to be sent before the first and after each round; {} over {}, first turn.",
            axes[0], axes[1]
        );
        figures.extend(chart.draw()?.map(|svg| Figure { name, caption, svg }));
    }
    Ok(figures)
}

fn remaining(measured: &Measured) -> Vec<(f64, f64)> {
    let start = measured.rounds.first().map(|round| (START, round.planned as f64));
    start
        .into_iter()
        .chain(measured.rounds.iter().map(|round| (f64::from(round.number), round.dirty as f64)))
        .collect()
}

fn policies(cell: &Cell) -> String {
    if cell.bandwidth == "unlimited" {
        cell.stop.clone()
    } else {
        format!("{}, {}", cell.stop, cell.bandwidth)
    }
}

/// Bytes and times by policy, for each guest and link that met several.
pub(super) fn of_policies(run: &Run) -> Result<Vec<Figure>, Error> {
    type Of = fn(&Measured) -> Option<f64>;
    let figures_of: [(&str, &str, Of); 3] = [
        ("Total time", "s", |m| Some(m.total)),
        ("Downtime", "ms", |m| m.downtime.map(|s| s * MS)),
        ("Data sent", "MiB", |m| Some(m.bytes as f64 / MIB)),
    ];
    let group = |cell: &Cell| [&cell.workload, &cell.memory, &cell.link].map(Clone::clone);
    let hosts: Vec<&Cell> = cells(run).into_iter().filter(|cell| cell.world == "host").collect();
    let mut figures = Vec::new();
    for axes in distinct(hosts.iter().map(|cell| group(cell))) {
        let members: Vec<_> = hosts.iter().filter(|cell| group(cell) == axes && cell.map == "full").collect();
        if members.len() < 2 {
            continue;
        }
        for (title, unit, of) in figures_of {
            let bars = members.iter().filter_map(|cell| bar(run, cell, policies(cell), of)).collect();
            let bars = Bars { title: format!("{title} by policy: {}", axes.join(", ")), x: unit, bars };
            let name = plain(&format!("{title}-by-policy-{}", axes.join("-"))).to_lowercase();
            let caption =
                format!("{title} under each policy, median and 95 % interval; {}.", axes.join(", "));
            figures.extend(bars.draw()?.map(|svg| Figure { name, caption, svg }));
        }
    }
    Ok(figures)
}

fn bar(
    run: &Run,
    cell: &Cell,
    name: String,
    of: impl Fn(&Measured) -> Option<f64>,
) -> Option<(String, f64, f64, f64)> {
    figure_of(run, cell, of).map(|interval| (name, interval.middle, interval.low, interval.high))
}

/// Goodput by who moved the memory.
pub(super) fn of_worlds(run: &Run) -> Result<Vec<Figure>, Error> {
    let group = |cell: &Cell| [&cell.memory, &cell.link].map(Clone::clone);
    let idle: Vec<&Cell> = cells(run).into_iter().filter(|cell| cell.workload == "idle").collect();
    let mut figures = Vec::new();
    for axes in distinct(idle.iter().map(|cell| group(cell))) {
        let members: Vec<_> = idle.iter().filter(|cell| group(cell) == axes).collect();
        if distinct(members.iter().map(|cell| &cell.world)).len() < 2 {
            continue;
        }
        let goodput = |m: &Measured| Some(m.goodput() / GIGABIT);
        let name = |cell: &Cell| cell.world.replace("host", "ours");
        let bars = members.iter().filter_map(|cell| bar(run, cell, name(cell), goodput)).collect();
        let bars =
            Bars { title: format!("Goodput: {} over {}", axes[0], axes[1]), x: "Gbit/s of pages", bars };
        let name = plain(&format!("goodput-{}", axes.join("-")));
        let caption = format!(
            "Pages moved in a second by each data path, median and 95 % interval; {}.",
            axes.join(", ")
        );
        figures.extend(bars.draw()?.map(|svg| Figure { name, caption, svg }));
    }
    Ok(figures)
}
