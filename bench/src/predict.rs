//! What the models of Akoush and others (2010) say of a cell: the shipped engine on a simulated guest and link.
//!
//! As in the paper, the link's speed is the goodput that was measured beforehand, here the stream's in the first
//! round, and the overheads are what an idle guest's migration takes beyond the transfer.

use std::path::Path;
use std::sync::Arc;

use engine::SaveOptions;
use policy::{bandwidth, stop};
use sim::model::Hist;
use sim::{
    ConstantRate, DirtyModel, Recording, SimConfig, SimGuest, SimLink, SimWire, VirtualClock, forecast,
};

use crate::Error;
use crate::plan::{Cell, Model};
use crate::run::{Measured, Run, recording};
use crate::statistics::median;

/// A prediction. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The total time.
    pub total: f64,
    /// The downtime.
    pub downtime: f64,
}

/// What is measured of a link and a guest's size, and the models start from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The stream's bit/s over the link.
    pub link_speed: f64,
    /// What the idle guest's migration takes beyond the transfer, seconds.
    pub overhead: f64,
    /// The part of it in which the guest stands still, seconds.
    pub downtime_overhead: f64,
}

/// Whether the models are for such a cell: a guest that runs, over a link that has a rate.
#[must_use]
pub fn is_predictable(cell: &Cell) -> bool {
    cell.world == "host" && cell.link != "loopback" && cell.rate().is_some()
}

impl Calibration {
    /// From the rows of a run that share the cell's link, memory and map; nothing if none of an idle guest is among
    /// them.
    ///
    /// # Errors
    /// When the idle guest's migration cannot be simulated.
    pub fn of(run: &Run, cell: &Cell) -> Result<Option<Self>, Error> {
        let alike = |other: &Cell| {
            other.world == "host"
                && other.link == cell.link
                && other.memory == cell.memory
                && other.map == cell.map
        };
        let of = |idle_only: bool, figure: fn(&Measured) -> Option<f64>| {
            let wanted = |other: &Cell| alike(other) && (!idle_only || other.workload == "idle");
            median(&run.measured(wanted).filter_map(|(_, m)| figure(m)).collect::<Vec<_>>())
        };
        let (Some(link_speed), Some(total)) =
            (of(false, |m| Some(m.link_speed())), of(true, |m| Some(m.total)))
        else {
            return Ok(None);
        };
        let bare = Self { link_speed, overhead: 0.0, downtime_overhead: 0.0 };
        let idle = Cell { workload: "idle".into(), ..cell.clone() };
        let transfer = predict(&idle, &bare, std::iter::empty())?;
        let downtime = of(true, |m| m.downtime).unwrap_or_default();
        let (overhead, downtime_overhead) = (total - transfer.total, downtime - transfer.downtime);
        Ok(Some(Self { link_speed, overhead, downtime_overhead }))
    }
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
    let config = SimConfig { pages: cell.pages()?, ..SimConfig::default() };
    let guest = SimGuest::new(&config, model, &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting()).at_rate(whole(from.link_speed));
    let mut options = SaveOptions::live(stop::by_name(&cell.stop)?, bandwidth::by_name(&cell.bandwidth)?);
    let report = forecast(&guest, link, &clock, &mut options).map_err(Error::Predict)?;
    let downtime = (report.downtime.state - report.downtime.asked).as_secs_f64();
    Ok(Prediction {
        total: report.total.as_secs_f64() + from.overhead,
        downtime: downtime + from.downtime_overhead,
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
    const FROM: Calibration =
        Calibration { link_speed: 819_200_000.0, overhead: 0.25, downtime_overhead: 0.125 };

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
