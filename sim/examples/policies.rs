//! The figures of `docs/policies.md`: what each policy does to simulated guests.
//!
//! `cargo run --release -p sim --example policies [stop|bandwidth|epr|speed]`, by default all but the last. The same
//! binary prints the same figures each time.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::{Duration, Instant};

use engine::{Clock, SaveOptions, SaveReport};
use policy::bandwidth::{self, Meter, Metered};
use policy::markov::{ADJUST_AFTER, Model, Predictor, WINDOW, effective_prediction_ratio};
use policy::{LinkUse, stop};
use sim::model::{Intermittent, Poisson, kernel_compile};
use sim::{
    ConstantRate, DirtyModel, Recording, SimConfig, SimGuest, SimLink, SimWire, Traffic, VirtualClock,
    forecast,
};

/// 1 GiB, as in the papers' tables.
const PAGES: u64 = 1 << 18;
/// What a migration gets of 1 Gbit/s (Akoush et al., Table I).
const GOODPUT: u64 = 935_000_000;
/// What others send over the link where there is competition.
const COMPETITION: u64 = 300_000_000;
const SEED: u64 = 1;

type Guest = Box<dyn DirtyModel>;
/// A name, and the guest with this seed.
type Load = (&'static str, fn(u64) -> Guest);

/// Writes per second. SPECweb's and SPEC CPU's are those of Akoush et al., section IV-E. The last four are
/// memory-intensive: they write faster than the link sends, as the loads of the ITC paper do (Fig. 4).
const LOADS: [Load; 8] = [
    ("idle", |_| Box::new(ConstantRate::new(200, 0..2_000))),
    ("SPECweb", |seed| Box::new(Poisson::zipf(12_000.0, 0.8, 0..PAGES, seed))),
    ("compile", |seed| Box::new(kernel_compile(20_000.0, PAGES, seed))),
    ("on-off compile", |seed| {
        Box::new(Intermittent::new(kernel_compile(40_000.0, PAGES, seed), PHASE, PHASE))
    }),
    ("heavy compile", |seed| Box::new(kernel_compile(60_000.0, PAGES, seed))),
    ("web server", |seed| Box::new(Poisson::zipf(120_000.0, 0.6, 0..PAGES, seed))),
    ("SPEC CPU", |_| Box::new(ConstantRate::new(50_000, 0..PAGES / 4))),
    ("burst", |_| {
        Box::new(Intermittent::new(ConstantRate::new(90_000, 0..PAGES / 4), PHASE / 10, PHASE / 10))
    }),
];
/// How many of them are memory-intensive: the last.
const INTENSIVE: usize = 4;
const PHASE: Duration = Duration::from_secs(5);

const STOP: [&str; 11] = [
    "psc",
    "fni:n=4",
    "xen",
    "classic",
    "hybrid",
    "itc",
    "any(downtime:300ms,deadline:60s)",
    "any(downtime:300ms,itc)",
    "deadline:20s",
    "fm",
    "am",
];
const BANDWIDTH: [&str; 4] = ["unlimited", "fixed:rate=500M", "incremental", "bda"];

fn migrate(model: Guest, stop: &str, bandwidth: &str, traffic: Traffic) -> SaveReport {
    let clock = VirtualClock::new();
    let config = SimConfig { pages: PAGES, seed: SEED, ..SimConfig::default() };
    let guest = SimGuest::new(&config, model, &clock).without_content();
    let link = SimLink::new(&clock, &SimWire::counting()).at_rate(GOODPUT).with_traffic(traffic);
    let stop = stop::by_name(stop).expect("a stop policy");
    let bandwidth = bandwidth::by_name(bandwidth).expect("a bandwidth policy");
    let metered = Metered::new(bandwidth, meter(&clock, traffic));
    let mut options = SaveOptions::live(stop, Box::new(metered));
    forecast(&guest, link, &clock, &mut options).expect("none of these gives up")
}

/// The counters of the simulated link.
fn meter(clock: &VirtualClock, traffic: Traffic) -> Meter {
    let clock = clock.clone();
    Box::new(move || Some(LinkUse { total: GOODPUT as f64, used: traffic.at(clock.now()) as f64 }))
}

fn row(name: &str, report: &SaveReport) {
    println!(
        "{name:<34}{:>8}{:>10.0}{:>10.2}{:>10.0}",
        report.rounds.len(),
        mebibytes(report),
        report.total.as_secs_f64(),
        downtime(report),
    );
}

fn mebibytes(report: &SaveReport) -> f64 {
    report.bytes as f64 / (1 << 20) as f64
}

/// Milliseconds.
fn downtime(report: &SaveReport) -> f64 {
    (report.downtime.state - report.downtime.asked).as_secs_f64() * 1e3
}

fn head(title: &str) {
    println!("\n{title:<34}{:>8}{:>10}{:>10}{:>10}", "rounds", "MiB", "total s", "down ms");
}

fn stop_policies() {
    for (load, model) in LOADS {
        head(load);
        for name in STOP {
            row(name, &migrate(model(SEED), name, "unlimited", Traffic::constant(0)));
        }
    }
    itc_against_hybrid();
}

/// Means of five runs for each load, as in the ITC paper (section 4.3).
fn itc_against_hybrid() {
    println!("\n{:<34}{:>10}{:>10}{:>10}", "itc, less than hybrid", "bytes", "total", "downtime");
    let mut sums = [0.0; 3];
    for (load, model) in &LOADS[LOADS.len() - INTENSIVE..] {
        let (itc, hybrid) = (mean_of_five("itc", *model), mean_of_five("hybrid", *model));
        let less = [0, 1, 2].map(|i| 100.0 * (1.0 - itc[i] / hybrid[i]));
        sums = [0, 1, 2].map(|i| sums[i] + less[i]);
        println!("{load:<34}{:>9.1}%{:>9.1}%{:>9.1}%", less[0], less[1], less[2]);
    }
    let mean = sums.map(|sum| sum / INTENSIVE as f64);
    println!("{:<34}{:>9.1}%{:>9.1}%{:>9.1}%", "mean", mean[0], mean[1], mean[2]);
}

/// Bytes, total time and downtime.
fn mean_of_five(stop: &str, model: fn(u64) -> Guest) -> [f64; 3] {
    (1..=5).fold([0.0; 3], |sums, seed| {
        // Guests without chance in them differ in the moment at which the migration begins.
        let guest = Box::new(later(model(seed), PHASE / 7 * u32::try_from(seed).unwrap_or_default()));
        let report = migrate(guest, stop, "unlimited", Traffic::constant(0));
        [sums[0] + mebibytes(&report), sums[1] + report.total.as_secs_f64(), sums[2] + downtime(&report)]
    })
}

/// The guest from this moment on.
fn later(model: Guest, start: Duration) -> impl DirtyModel {
    model.filter_map(move |(time, event)| Some((time.checked_sub(start)?, event)))
}

fn bandwidth_policies() {
    for (load, model) in LOADS {
        for competition in [0, COMPETITION] {
            head(&format!("{load}, {} M used", competition / 1_000_000));
            for name in BANDWIDTH {
                row(name, &migrate(model(SEED), "xen", name, Traffic::constant(competition)));
            }
        }
    }
}

/// Learns from five minutes of guests whose phases last longer or shorter, and predicts the next five, ten seconds at
/// a time.
fn prediction_ratios() {
    const SLOT: Duration = Duration::from_secs(1);
    const LEARN: usize = 300;
    const HORIZON: usize = 10;
    const TOLERANCE: f64 = 0.25;
    for window in [5, 10, WINDOW] {
        println!("\n{:<34}{:>8}{:>8}{:>10}", format!("EPR, window {window}"), "FM", "AM", "patterns");
        let mut sums = [0.0; 2];
        for phase in PHASES {
            let phase = Duration::from_secs(phase);
            let guest = Intermittent::new(kernel_compile(20_000.0, PAGES, SEED), phase, phase);
            let series = Recording::of(guest, PAGES, SLOT, 2 * LEARN).growth(1);
            let (first, second) = series.split_at(LEARN);
            let model = Model::learn(&[first], SLOT, window).expect("there are windows");
            let ratio = |adjust_after| {
                let predictor = Predictor { adjust_after };
                effective_prediction_ratio(predictor, &model, second, HORIZON, TOLERANCE).ratio()
            };
            let [fm, am] = [None, Some(ADJUST_AFTER)].map(|m| ratio(m).unwrap_or_default());
            sums = [sums[0] + fm, sums[1] + am];
            let load = format!("compile, {} s on and off", phase.as_secs());
            println!("{load:<34}{fm:>8.3}{am:>8.3}{:>10}", model.patterns().len());
        }
        let mean = sums.map(|sum| sum / PHASES.len() as f64);
        println!("{:<34}{:>8.3}{:>8.3}", "mean", mean[0], mean[1]);
    }
}

/// Seconds.
const PHASES: [u64; 6] = [3, 6, 8, 10, 13, 20];

/// How long simulated migrations of a 4 GiB guest take.
fn speed() {
    const RUNS: u32 = 20;
    let started = Instant::now();
    for seed in 0..u64::from(RUNS) {
        let clock = VirtualClock::new();
        let config = SimConfig { pages: 4 * PAGES, seed, ..SimConfig::default() };
        let guest = SimGuest::new(&config, ConstantRate::new(50_000, 0..PAGES), &clock).without_content();
        let link = SimLink::new(&clock, &SimWire::counting()).at_rate(10 * GOODPUT);
        let mut options = SaveOptions::live(Box::new(stop::Xen), Box::new(bandwidth::Unlimited));
        forecast(&guest, link, &clock, &mut options).expect("a forecast");
    }
    println!("\n{RUNS} migrations of 4 GiB: {:.1?} each", started.elapsed() / RUNS);
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let parts: [(&str, fn()); 4] = [
        ("stop", stop_policies),
        ("bandwidth", bandwidth_policies),
        ("epr", prediction_ratios),
        ("speed", speed),
    ];
    for (name, print) in parts {
        if wanted.iter().any(|part| part == name) || wanted.is_empty() && name != "speed" {
            print();
        }
    }
}
