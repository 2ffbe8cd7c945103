//! What the models of Akoush and others (2010) say of a cell: the shipped engine on a simulated guest and link.
//!
//! As in the paper, what the models start from is measured: the goodput, and the overheads. Here the goodput has three
//! values. Most of a first round goes to pages that the target has no memory for yet, which takes longer; and guest,
//! source and target share the processors of one machine, so that a copy is faster while the guest stands still. In the
//! first round and behind it, it is that of the very turn that is predicted, for it differs from turn to turn, and so is the
//! time in which the link runs empty before the guest is stopped; the time of a harvest, the goodput while the guest
//! stands still, and what a page takes then that waits for no link, are medians over all migrations of a guest of that size on
//! that link, and the overheads are medians over those of the other guests. What the models then say is how many rounds
//! there are, what they send, and how long that takes.

use std::sync::Arc;
use std::time::Duration;

use engine::{PAGE_SIZE, SaveOptions};
use policy::{bandwidth, stop};
use sim::model::Hist;
use sim::{
    ConstantRate, DirtyModel, Recording, SimConfig, SimGuest, SimLink, SimWire, VirtualClock, forecast,
};

use crate::Error;
use crate::bed::BURST;
use crate::plan::{Cell, Model};
use crate::run::{Measured, RoundRow, Run, recording};
use crate::statistics::median;
use crate::world::WARM_UP;

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

/// What the models start from. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The stream's bit/s behind the first round.
    pub link_speed: f64,
    /// The stream's bit/s in the first round: most of it goes to fresh memory.
    pub first_speed: f64,
    /// The bytes of that round.
    pub first_bytes: u64,
    /// While the guest stands still.
    pub last_copy: LastCopy,
    /// What a harvest takes.
    pub harvest: f64,
    /// How long the link takes to run empty before the guest is stopped.
    pub drain: f64,
    /// What a migration takes beside its rounds, that, and its downtime.
    pub overhead: f64,
    /// What the downtime takes beside its harvest and the last pages.
    pub downtime_overhead: f64,
}

/// What the last pages take, while the guest stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastCopy {
    /// The stream's bit/s.
    pub speed: f64,
    /// What a page takes that the link lets through at once, seconds.
    pub page: f64,
}

/// Whether the models are for such a cell: a guest that runs, over a link that has a rate.
#[must_use]
pub fn is_predictable(cell: &Cell) -> bool {
    cell.is_ours() && cell.link != "loopback" && cell.rate().is_some()
}

impl Calibration {
    /// For a turn of a cell, from itself and from the run's others of the same world, link, memory and map; nothing if it
    /// had no rounds.
    fn of(run: &Run, cell: &Cell, turn: &Measured) -> Result<Option<Self>, Error> {
        let alike = |other: &Cell| {
            other.world == cell.world
                && other.link == cell.link
                && other.memory == cell.memory
                && other.map == cell.map
        };
        let others = |other: &Cell| alike(other) && other != cell;
        let Some(first) = turn.rounds.first() else { return Ok(None) };
        let harvest = median_over(run, alike, harvest).unwrap_or_default();
        let memory = cell.pages()? as f64 * PAGE_ON_WIRE;
        let behind_first = |m: &Measured| link_speed(m, memory, harvest);
        let first_speed = speed_of(std::slice::from_ref(first), harvest);
        // A guest that writes nothing has no rounds behind the first; where there are some, they are not slower.
        let link_speed = behind_first(turn).or_else(|| median_over(run, alike, behind_first));
        let link_speed = link_speed.unwrap_or(first_speed).max(first_speed);
        let still_speed = median_over(run, alike, |m| still_speed(m, harvest)).unwrap_or(link_speed);
        let bare = median_over(run, alike, bare_downtime).unwrap_or_default();
        let page = median_over(run, alike, |m| page(m, bare, still_speed)).unwrap_or_default();
        let last_copy = LastCopy { speed: still_speed, page: page.clamp(0.0, time_on_wire(1, still_speed)) };
        let downtime_overhead = |m: &Measured| downtime_overhead(m, harvest, last_copy);
        Ok(Some(Self {
            link_speed,
            first_speed,
            first_bytes: first.bytes,
            last_copy,
            harvest,
            drain: turn.drain.unwrap_or_default(),
            overhead: median_over(run, others, overhead).unwrap_or_default(),
            downtime_overhead: median_over(run, others, downtime_overhead).unwrap_or_default(),
        }))
    }
}

impl LastCopy {
    /// How long so many pages take, until the target has them. The link has run empty before, and then its shaper lets a
    /// burst through at once, but both sides still have to copy it.
    fn takes(self, pages: u64) -> f64 {
        let link = time_on_wire(pages, self.speed) - BURST.as_secs_f64();
        link.max(pages as f64 * self.page)
    }
}

/// The median of a figure over all turns of some cells.
fn median_over(
    run: &Run,
    wanted: impl Fn(&Cell) -> bool,
    figure: impl Fn(&Measured) -> Option<f64>,
) -> Option<f64> {
    median(&run.measured(wanted).filter_map(|(_, measured)| figure(measured)).collect::<Vec<_>>())
}

/// The time of a round in which nothing was sent.
fn harvest(measured: &Measured) -> Option<f64> {
    let empty: Vec<f64> =
        measured.rounds.iter().filter(|round| round.sent == 0).map(|round| round.duration).collect();
    median(&empty)
}

/// The stream's bit/s in the rounds behind the first; nothing if hardly anything was sent there.
fn link_speed(measured: &Measured, memory: f64, harvest: f64) -> Option<f64> {
    /// Less than this part of the memory says more about rounds than about the link.
    const ENOUGH: f64 = 0.1;
    let rounds = measured.rounds.get(1..)?;
    let bytes: u64 = rounds.iter().map(|round| round.bytes).sum();
    (bytes as f64 > ENOUGH * memory).then(|| speed_of(rounds, harvest))
}

fn speed_of(rounds: &[RoundRow], harvest: f64) -> f64 {
    let bytes: u64 = rounds.iter().map(|round| round.bytes).sum();
    let time: f64 = rounds.iter().map(|round| round.duration - harvest).sum();
    speed(bytes as f64, time)
}

/// 16 MiB: fewer pages take too little time to tell a speed, and more of them too much to tell anything else.
const MANY: u64 = 4096;
/// So few pages take no time that could be told from what else a downtime takes.
const FEW: u64 = 50;

/// The stream's bit/s while the guest stands still and leaves the processors to the copy, until the target has the last
/// page; nothing if hardly anything was sent then.
fn still_speed(measured: &Measured, harvest: f64) -> Option<f64> {
    let pages = measured.last_pages.filter(|&pages| pages >= MANY)?;
    Some(speed(pages as f64 * PAGE_ON_WIRE, measured.downtime? - harvest + BURST.as_secs_f64()))
}

/// A downtime in which hardly anything was sent.
fn bare_downtime(measured: &Measured) -> Option<f64> {
    measured.downtime.filter(|_| measured.last_pages.is_some_and(|pages| pages < FEW))
}

/// What a page took in a downtime, if there were enough of them to tell, but not more than the link lets through at once.
fn page(measured: &Measured, bare: f64, still_speed: f64) -> Option<f64> {
    let on_wire = |pages| time_on_wire(pages, still_speed) / BURST.as_secs_f64();
    let pages = measured.last_pages.filter(|&pages| pages >= FEW && (0.5..1.0).contains(&on_wire(pages)))?;
    Some((measured.downtime? - bare) / pages as f64)
}

/// What a downtime took beside its harvest and its pages, if those were few.
fn downtime_overhead(measured: &Measured, harvest: f64, last_copy: LastCopy) -> Option<f64> {
    let pages = measured.last_pages.filter(|&pages| pages < MANY)?;
    Some(measured.downtime? - harvest - last_copy.takes(pages))
}

/// What a migration took beside its rounds, the link's running empty, and its downtime.
fn overhead(measured: &Measured) -> Option<f64> {
    let rounds = measured.rounds.iter().map(|round| round.duration).sum::<f64>();
    Some(measured.total - rounds - measured.drain.unwrap_or_default() - measured.downtime?)
}

fn speed(bytes: f64, time: f64) -> f64 {
    bytes * BITS / time.max(SHORTEST)
}

/// How long so many pages are on a link of this speed, bit/s.
fn time_on_wire(pages: u64, speed: f64) -> f64 {
    pages as f64 * PAGE_ON_WIRE * BITS / speed
}

/// What a model says of a cell of a run: the median over what it says of each turn; nothing if nothing was measured, or
/// the model needs a recording and there is none.
///
/// # Errors
/// When a migration cannot be simulated, or the recording cannot be read.
pub fn by_model(run: &Run, model: Model, cell: &Cell) -> Result<Option<Prediction>, Error> {
    let Some(guest) = Guest::of(run, model, cell)? else { return Ok(None) };
    let mut said = Vec::new();
    for (_, turn) in run.measured(|other| other == cell) {
        if let Some(from) = Calibration::of(run, cell, turn)? {
            said.push(guest.predict(cell, &from)?);
        }
    }
    let middle = |figure: fn(&Prediction) -> f64| median(&said.iter().map(figure).collect::<Vec<_>>());
    let figures = middle(|said| said.total).zip(middle(|said| said.downtime));
    Ok(figures.map(|(total, downtime)| Prediction { total, downtime }))
}

/// What a model knows of a guest.
enum Guest {
    /// AVG: a constant dirty rate, pages/s.
    Avg(f64),
    /// HIST: what it did, once it had warmed up.
    Hist(Arc<Recording>),
}

impl Guest {
    fn of(run: &Run, model: Model, cell: &Cell) -> Result<Option<Self>, Error> {
        if model == Model::Avg {
            return Ok(cell.rate().map(Self::Avg));
        }
        let file = recording::file(&run.dir, cell);
        let recording = file.exists().then(|| recording::load(&file)).transpose()?;
        Ok(recording.map(|recording| Self::Hist(Arc::new(recording.whole_circles()))))
    }

    /// Where in its circle the guest is when the migration begins matters; it began with the first page, and was
    /// given time to warm up.
    fn predict(&self, cell: &Cell, from: &Calibration) -> Result<Prediction, Error> {
        match self {
            Self::Avg(rate) => {
                let guest = ConstantRate::new(whole(*rate), 0..cell.pages()?);
                predict(cell, from, guest.beginning_at(whole(rate * WARM_UP.as_secs_f64())))
            }
            Self::Hist(recording) => predict(cell, from, Hist::new(Arc::clone(recording), 0)),
        }
    }
}

fn predict(cell: &Cell, from: &Calibration, model: impl DirtyModel + 'static) -> Result<Prediction, Error> {
    let clock = VirtualClock::new();
    let pages = cell.pages()?;
    let seconds = |time: f64| Duration::try_from_secs_f64(time).unwrap_or_default();
    let harvest_takes = seconds(from.harvest);
    let config = SimConfig { pages, harvest_takes, ..SimConfig::default() };
    let guest = SimGuest::new(&config, model, &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting())
        .at_rate(whole(from.link_speed))
        .to_fresh_memory(from.first_bytes, whole(from.first_speed))
        // Behind the last page there is a harvest.
        .late_by(seconds(from.harvest + from.drain));
    let mut options = SaveOptions::live(stop::by_name(&cell.stop)?, bandwidth::by_name(&cell.bandwidth)?);
    let report = forecast(&guest, link, &clock, &mut options).map_err(Error::Predict)?;
    let downtime = from.harvest + from.last_copy.takes(report.last_pages) + from.downtime_overhead;
    Ok(Prediction { total: report.downtime.asked.as_secs_f64() + from.overhead + downtime, downtime })
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
        first_speed: 819_200_000.0,
        first_bytes: 0,
        last_copy: LastCopy { speed: 819_200_000.0, page: 0.0 },
        harvest: 0.0,
        drain: 0.0,
        overhead: 0.125,
        downtime_overhead: 0.125,
    };

    #[test]
    fn avg_has_the_shapes_of_the_paper() {
        let at = |rate| predict(&cell("idle"), &FROM, ConstantRate::new(rate, 0..16_384)).unwrap();
        let once = 16_384.0 / 25_000.0;
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 0.05;
        // Idle: everything once, no downtime but the overhead.
        assert!(close(at(0).total, once + 0.25) && close(at(0).downtime, 0.125), "{:?}", at(0));
        // Near the link's speed: about five times the memory at most. Far beyond: downtime reaches its bound.
        assert!(at(25_000).total > 3.0 * once, "{:?}", at(25_000));
        assert!(close(at(400_000).downtime, once + 0.125), "{:?}", at(400_000));
        assert!(at(400_000).total < at(25_000).total);
    }

    #[test]
    fn avg_begins_where_the_guest_is_when_it_has_warmed_up() {
        let at = |first| {
            let guest = ConstantRate::new(25_000, 0..16_384).beginning_at(first);
            predict(&cell("idle"), &FROM, guest).unwrap()
        };
        let said = Guest::Avg(25_000.0).predict(&cell("idle"), &FROM).unwrap();
        assert_eq!(said, at(5_000));
        assert_ne!(said, at(0), "it does not matter here");
    }

    #[test]
    fn a_burst_of_the_link_takes_as_long_as_its_copies() {
        let burst = BURST.as_secs_f64();
        let link = LastCopy { speed: 10e9, page: 0.0 };
        let pages = |time: f64| whole(time * link.speed / BITS / PAGE_ON_WIRE);
        assert!(link.takes(pages(0.9 * burst)) <= 0.0, "a burst takes no time on the link");
        let five = link.takes(pages(6.0 * burst));
        assert!((five / burst - 5.0).abs() < 0.01, "{five}");
        // Copied at twice the link's speed, two bursts take as long as the link takes for the second.
        let copied = LastCopy { page: PAGE_ON_WIRE * BITS / 20e9, ..link };
        let half = copied.takes(pages(burst));
        assert!((half / burst - 0.5).abs() < 0.01, "{half}");
        assert_eq!(copied.takes(pages(6.0 * burst)), five);
    }

    #[test]
    fn only_what_runs_over_a_rated_link_is_predicted() {
        assert!(is_predictable(&cell("pagemod:rate=1000")) && is_predictable(&cell("idle")));
        assert!(!is_predictable(&cell("pagemod:rate=max")));
        assert!(!is_predictable(&Cell { link: "loopback".into(), ..cell("idle") }));
    }
}
