//! What the models of Akoush and others (2010) say of a cell: the shipped engine on a simulated guest and link.
//!
//! As in the paper, what the models start from is measured: the goodput, and the overheads. Here the goodput has three
//! values. A target takes a page that it has no memory for yet more slowly than one that it has; and guest, source and
//! target share the processors of one machine, so that a copy is faster while the guest stands still, and the goodput
//! is that of the cell's own migrations. Overheads, the time of a harvest and the goodput while the guest stands still are
//! medians over all migrations of a guest of that size on that link. What the models then say is how many rounds there are, what they send, and how long that takes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::{PAGE_SIZE, SaveOptions};
use policy::{bandwidth, stop};
use sim::model::Hist;
use sim::{
    ConstantRate, DirtyModel, Recording, SimConfig, SimGuest, SimLink, SimWire, VirtualClock, forecast,
};

use crate::Error;
use crate::plan::{Cell, Model};
use crate::run::{Measured, RoundRow, Run, recording};
use crate::statistics::median;

/// Bits in a byte.
const BITS: f64 = 8.0;
/// A page in the stream: its data, and its entry in the record's list of pfns, bytes.
const PAGE_ON_WIRE: f64 = PAGE_SIZE as f64 + 8.0;
/// What is left of a transfer that took no time to be divided by, seconds.
const SHORTEST: f64 = 1e-6;

/// A prediction. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The total time.
    pub total: f64,
    /// The downtime.
    pub downtime: f64,
}

/// What is measured of a link, a guest's size and how busy the guest is, and what the models start from. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The stream's bit/s into memory that the target has already.
    pub link_speed: f64,
    /// The stream's bit/s into fresh memory: that of the first round.
    pub fresh_speed: f64,
    /// The stream's bit/s while the guest stands still.
    pub still_speed: f64,
    /// What a harvest takes.
    pub harvest: f64,
    /// What a migration takes beside its rounds and the copy of the last pages.
    pub overhead: f64,
    /// The part of it in which the guest stands still.
    pub downtime_overhead: f64,
}

/// Whether the models are for such a cell: a guest that runs, over a link that has a rate.
#[must_use]
pub fn is_predictable(cell: &Cell) -> bool {
    cell.world == "host" && cell.link != "loopback" && cell.rate().is_some()
}

impl Calibration {
    /// From the rows of a run that share the cell's link, memory and map; nothing if there are none.
    #[must_use]
    pub fn of(run: &Run, cell: &Cell) -> Option<Self> {
        let alike = |other: &Cell| {
            other.world == "host"
                && other.link == cell.link
                && other.memory == cell.memory
                && other.map == cell.map
        };
        let of = |wanted: &dyn Fn(&Cell) -> bool, figure: &dyn Fn(&Measured) -> Option<f64>| {
            median(&run.measured(wanted).filter_map(|(_, m)| figure(m)).collect::<Vec<_>>())
        };
        let harvest = of(&alike, &harvest).unwrap_or_default();
        // A guest that writes nothing tells nothing of memory that the target has already.
        let speed = |figure: &dyn Fn(&Measured) -> Option<f64>| {
            of(&|other| other == cell, figure).or_else(|| of(&alike, figure))
        };
        let fresh_speed = speed(&|m| fresh_speed(m, harvest))?;
        let memory = cell.pages().ok()? as f64 * PAGE_ON_WIRE;
        let link_speed = speed(&|m| link_speed(m, memory, fresh_speed, harvest)).unwrap_or(fresh_speed);
        let still_speed = of(&alike, &still_speed).unwrap_or(link_speed);
        let overhead = of(&alike, &|m| Some(m.total - copying(m))).unwrap_or_default();
        let downtime_overhead = of(&alike, &|m| Some(m.downtime? - m.last_copy?)).unwrap_or_default();
        let fresh_speed = fresh_speed.min(link_speed);
        Some(Self { link_speed, fresh_speed, still_speed, harvest, overhead, downtime_overhead })
    }
}

/// The time of a round in which nothing was sent.
fn harvest(measured: &Measured) -> Option<f64> {
    let empty: Vec<f64> =
        measured.rounds.iter().filter(|round| round.sent == 0).map(|round| round.duration).collect();
    median(&empty)
}

/// The stream's bit/s in the first round.
fn fresh_speed(measured: &Measured, harvest: f64) -> Option<f64> {
    let round = measured.rounds.first()?;
    Some(speed(round.bytes as f64, round.duration - harvest))
}

/// The stream's bit/s behind its first `memory` bytes, which went to fresh memory at `fresh_speed`; nothing if hardly
/// anything was sent there.
fn link_speed(measured: &Measured, memory: f64, fresh_speed: f64, harvest: f64) -> Option<f64> {
    /// Less than this part of the memory says more about rounds than about the link.
    const ENOUGH: f64 = 0.1;
    let harvests = harvest * measured.rounds.len() as f64;
    let bytes = measured.bytes as f64 - memory;
    let time = copying(measured) - harvests - memory * BITS / fresh_speed;
    (bytes > ENOUGH * memory && time > 0.0).then(|| speed(bytes, time))
}

/// The stream's bit/s while the guest stands still and leaves the processors to the copy; nothing if hardly anything was
/// sent then.
fn still_speed(measured: &Measured) -> Option<f64> {
    /// 16 MiB: what the sockets hold must not count.
    const ENOUGH: u64 = 4096;
    let pages = measured.last_pages.filter(|&pages| pages >= ENOUGH)?;
    Some(speed(pages as f64 * PAGE_ON_WIRE, measured.last_copy?))
}

fn speed(bytes: f64, time: f64) -> f64 {
    bytes * BITS / time.max(SHORTEST)
}

/// The time in which pages go, and are harvested.
fn copying(measured: &Measured) -> f64 {
    let rounds = measured.rounds.iter().map(|round: &RoundRow| round.duration).sum::<f64>();
    rounds + measured.last_copy.unwrap_or_default()
}

/// What a model says of a cell of a run; nothing if it needs a recording and there is none.
///
/// # Errors
/// When the migration cannot be simulated, or its recording cannot be read.
pub fn by_model(
    model: Model,
    dir: &Path,
    cell: &Cell,
    from: &Calibration,
) -> Result<Option<Prediction>, Error> {
    match model {
        Model::Avg => cell.rate().map(|rate| avg(cell, rate, from)).transpose(),
        Model::Hist => {
            let file = recording::file(dir, cell);
            if file.exists() { hist(cell, recording::load(&file)?, from).map(Some) } else { Ok(None) }
        }
    }
}

/// AVG: the dirty rate is constant (pages/s).
///
/// # Errors
/// When the migration cannot be simulated.
pub fn avg(cell: &Cell, rate: f64, from: &Calibration) -> Result<Prediction, Error> {
    predict(cell, from, ConstantRate::new(whole(rate), 0..cell.pages()?))
}

fn hist(cell: &Cell, recording: Recording, from: &Calibration) -> Result<Prediction, Error> {
    predict(cell, from, Hist::new(Arc::new(recording), 0))
}

fn predict(cell: &Cell, from: &Calibration, model: impl DirtyModel + 'static) -> Result<Prediction, Error> {
    let clock = VirtualClock::new();
    let pages = cell.pages()?;
    let harvest_takes = Duration::try_from_secs_f64(from.harvest).unwrap_or_default();
    let config = SimConfig { pages, harvest_takes, ..SimConfig::default() };
    let guest = SimGuest::new(&config, model, &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting())
        .at_rate(whole(from.link_speed))
        .to_fresh_memory(pages * PAGE_SIZE as u64, whole(from.fresh_speed));
    let mut options = SaveOptions::live(stop::by_name(&cell.stop)?, bandwidth::by_name(&cell.bandwidth)?);
    let report = forecast(&guest, link, &clock, &mut options).map_err(Error::Predict)?;
    let simulated = (report.downtime.last_page - report.downtime.suspended).as_secs_f64();
    let last_copy = from.harvest + report.last_pages as f64 * PAGE_ON_WIRE * BITS / from.still_speed;
    Ok(Prediction {
        total: report.total.as_secs_f64() - simulated + last_copy + from.overhead,
        downtime: last_copy + from.downtime_overhead,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate: not negative, far below 2^63"
)]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(workload: &str) -> Cell {
        Cell {
            world: "host".into(),
            workload: workload.into(),
            memory: "64M".into(),
            link: "1G/1500".into(),
            stop: "classic".into(),
            bandwidth: "unlimited".into(),
            map: "full".into(),
        }
    }

    /// 25,000 pages/s.
    const FROM: Calibration = Calibration {
        link_speed: 819_200_000.0,
        fresh_speed: 819_200_000.0,
        still_speed: 819_200_000.0,
        harvest: 0.0,
        overhead: 0.25,
        downtime_overhead: 0.125,
    };

    #[test]
    fn avg_has_the_shapes_of_the_paper() {
        let at = |rate| avg(&cell("idle"), rate, &FROM).unwrap();
        let once = 16_384.0 / 25_000.0;
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.05;
        // Idle: everything once, no downtime but the overhead.
        assert!(close(at(0.0).total, once + 0.25) && close(at(0.0).downtime, 0.125), "{:?}", at(0.0));
        // Near the link's speed: about five times the memory at most. Far beyond: downtime reaches its bound.
        assert!(at(25_000.0).total > 3.0 * once, "{:?}", at(25_000.0));
        assert!(close(at(400_000.0).downtime, once + 0.125), "{:?}", at(400_000.0));
        assert!(at(400_000.0).total < at(25_000.0).total);
    }

    #[test]
    fn only_what_runs_over_a_rated_link_is_predicted() {
        assert!(is_predictable(&cell("pagemod:rate=1000")) && is_predictable(&cell("idle")));
        assert!(!is_predictable(&cell("pagemod:rate=max")));
        assert!(!is_predictable(&Cell { link: "loopback".into(), ..cell("idle") }));
    }
}
