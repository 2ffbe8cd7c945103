//! What a migration would come to: the shipped engine on a guest that was watched, replayed on a virtual clock.
//!
//! This is HIST of Akoush and others (*Predicting the Performance of Virtual Machine Migration*, section IV-B), for
//! every policy, and for several moments at which the migration might begin.

mod error;
mod rehearse;
mod show;
mod spread;
mod watch;

use std::sync::Arc;

use engine::{SaveOptions, SaveReport};
use policy::LinkUse;
use policy::bandwidth::{self, Metered};
use rayon::prelude::*;
use serde::Serialize;
use sim::model::Hist;
use sim::{Recording, SimConfig, SimGuest, SimLink, SimWire, VirtualClock};

pub(crate) use error::ForecastError;
pub(crate) use rehearse::rehearse;
pub(crate) use spread::Spread;
#[cfg(feature = "xen")]
pub(crate) use watch::record;
pub(crate) use watch::{SLOT, Watching, watch};

use crate::console::chain;
use crate::settings::{Settings, rate_text};

/// The stop policies that are built in, with parameters where they need some.
const STOP: [&str; 10] = [
    "psc",
    "fni:n=4",
    "xen",
    "classic",
    "hybrid",
    "itc",
    "downtime:300ms",
    "deadline:60s,then=stop",
    "fm",
    "am",
];

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The guest.
    pub(crate) recording: Arc<Recording>,
    /// What a migration gets of the link, bit/s.
    pub(crate) link_rate: f64,
    /// With a pre-copy.
    pub(crate) live: bool,
    /// With every page sent twice.
    pub(crate) verify: bool,
    /// The chosen policies, and the limits for all.
    pub(crate) settings: &'a Settings,
    /// How many moments to start at, evenly over the recording.
    pub(crate) starts: usize,
}

/// What a migration would come to. Times are seconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Forecast {
    /// Pages of the guest.
    pub(crate) pages: u64,
    /// Those with memory.
    pub(crate) populated: u64,
    /// How long it was watched.
    pub(crate) watched: f64,
    /// What a migration gets of the link, bit/s.
    pub(crate) link_rate: f64,
    /// The chosen policies first, then all others.
    pub(crate) policies: Vec<Outlook>,
}

/// Under one pair of policies.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outlook {
    /// The stop policy.
    pub(crate) stop: String,
    /// The bandwidth policy.
    pub(crate) bandwidth: String,
    /// Over the starting moments from which the migration succeeds; nothing if there are none.
    pub(crate) total: Option<Spread>,
    /// How long the guest stands still until the last byte is sent.
    pub(crate) downtime: Option<Spread>,
    /// Bytes of the stream.
    pub(crate) bytes: Option<Spread>,
    /// Rounds of the pre-copy.
    pub(crate) rounds: Option<Spread>,
    /// For each starting moment.
    pub(crate) starts: Vec<Start>,
}

/// From one starting moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Start {
    /// Since the recording began.
    pub(crate) at: f64,
    /// What it comes to; nothing if it fails.
    #[serde(flatten)]
    pub(crate) figures: Option<Figures>,
    /// Why it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fails: Option<String>,
}

/// One migration.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) total: f64,
    pub(crate) downtime: f64,
    pub(crate) bytes: u64,
    pub(crate) rounds: usize,
}

impl From<&SaveReport> for Figures {
    fn from(report: &SaveReport) -> Self {
        Self {
            total: report.total.as_secs_f64(),
            downtime: (report.downtime.state - report.downtime.asked).as_secs_f64(),
            bytes: report.bytes,
            rounds: report.rounds.len(),
        }
    }
}

impl Outlook {
    fn new(stop: &str, bandwidth: &str, starts: Vec<Start>) -> Self {
        let spread = |figure: fn(&Figures) -> f64| {
            Spread::of(starts.iter().filter_map(|start| start.figures.as_ref()).map(figure))
        };
        Self {
            stop: stop.to_owned(),
            bandwidth: bandwidth.to_owned(),
            total: spread(|figures| figures.total),
            downtime: spread(|figures| figures.downtime),
            bytes: spread(|figures| figures.bytes as f64),
            rounds: spread(|figures| figures.rounds as f64),
            starts,
        }
    }

    /// The moment with the shortest downtime, and of equals the shortest total time.
    pub(crate) fn best(&self) -> Option<(f64, Figures)> {
        let moments = self.starts.iter().filter_map(|start| Some((start.at, start.figures?)));
        moments.min_by(|(_, a), (_, b)| {
            a.downtime.total_cmp(&b.downtime).then_with(|| a.total.total_cmp(&b.total))
        })
    }
}

impl Forecast {
    /// The chosen pair first, then each other stop policy with the chosen bandwidth policy, then the other way round.
    pub(crate) fn of(question: &Question<'_>) -> Self {
        let recording = &question.recording;
        let chosen = (question.settings.stop.clone(), question.settings.bandwidth.clone());
        let mut pairs = vec![chosen.clone()];
        if question.live {
            pairs.extend(STOP.iter().map(|&stop| (stop.to_owned(), chosen.1.clone())));
        }
        pairs.extend(
            bandwidths(question.link_rate).into_iter().map(|bandwidth| (chosen.0.clone(), bandwidth)),
        );
        pairs.dedup_by(|a, b| a == b);
        let mut others = pairs.split_off(1);
        others.retain(|pair| *pair != chosen);
        let policies =
            pairs.iter().chain(&others).map(|(stop, bandwidth)| question.outlook(stop, bandwidth)).collect();
        Self {
            pages: recording.pages(),
            populated: recording.pages() - recording.holes().count() as u64,
            watched: recording.slot().as_secs_f64() * recording.len() as f64,
            link_rate: question.link_rate,
            policies,
        }
    }
}

/// The bandwidth policies that are built in; where a rate must be set, half of the link.
fn bandwidths(link_rate: f64) -> [String; 4] {
    let half = format!("fixed:rate={}", rate_text(link_rate / 2.0));
    ["unlimited".into(), half, "incremental".into(), "bda".into()]
}

impl Question<'_> {
    fn outlook(&self, stop: &str, bandwidth: &str) -> Outlook {
        let slots = self.recording.len();
        let starts = (0..self.starts).into_par_iter().map(|index| {
            let slot = slots * index / self.starts;
            let at = self.recording.slot().as_secs_f64() * slot as f64;
            let (figures, fails) = match self.migrate(stop, bandwidth, slot) {
                Ok(figures) => (Some(figures), None),
                Err(error) => (None, Some(error)),
            };
            Start { at, figures, fails }
        });
        Outlook::new(stop, bandwidth, starts.collect())
    }

    fn migrate(&self, stop: &str, bandwidth: &str, first: usize) -> Result<Figures, String> {
        let clock = VirtualClock::new();
        let holes = self.recording.holes().collect();
        let config = SimConfig { pages: self.recording.pages(), holes, ..SimConfig::default() };
        let guest = SimGuest::new(&config, Hist::new(Arc::clone(&self.recording), first), &clock);
        let link = SimLink::new(&clock, &SimWire::counting()).at_rate(whole(self.link_rate));
        let free = LinkUse { total: self.link_rate, used: 0.0 };
        let bandwidth = bandwidth::by_name(bandwidth).map_err(|error| error.to_string())?;
        let bandwidth = Metered::new(bandwidth, Box::new(move || Some(free)));
        let stop = self.settings.limited(stop).map_err(|error| error.to_string())?;
        let mut options = SaveOptions {
            live: self.live,
            verify: self.verify,
            ..SaveOptions::live(stop, Box::new(bandwidth))
        };
        let report = sim::forecast(&guest.without_content(), link, &clock, &mut options);
        report.map(|report| Figures::from(&report)).map_err(|error| chain(&error))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate: at least 8, far below 2^63"
)]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sim::ConstantRate;

    use super::*;
    use crate::settings::Values;

    /// 32 MiB, a page of which takes a tenth of a millisecond; a quarter of the time the guest writes fast.
    fn ask(settings: &Settings, starts: usize) -> Forecast {
        let slot = Duration::from_millis(100);
        let busy = Recording::of(ConstantRate::new(30_000, 0..4096), 8192, slot, 10);
        let mut recording = Recording::new(8192, slot);
        for index in 0..40 {
            let mut dirty = engine::PfnSet::empty(8192);
            for pfn in busy.frame(index) {
                dirty.insert(pfn);
            }
            recording.push(&dirty);
        }
        let recording = Arc::new(recording);
        Forecast::of(&Question {
            recording,
            link_rate: 327.68e6,
            live: true,
            verify: false,
            settings,
            starts,
        })
    }

    fn settings() -> Settings {
        Settings::from(&Values::defaults())
    }

    #[test]
    fn every_built_in_policy_has_its_row_and_the_chosen_one_is_first() {
        let forecast = ask(&settings(), 1);
        let pairs: Vec<_> = forecast.policies.iter().map(|row| (&*row.stop, &*row.bandwidth)).collect();
        assert_eq!(pairs[0], ("xen", "unlimited"));
        assert_eq!(pairs.len(), 1 + (STOP.len() - 1) + 3, "{pairs:?}");
        for name in policy::stop::NAMES.iter().filter(|name| !name.ends_with(')')) {
            let word = name.split([':', '[']).next().unwrap();
            assert!(pairs.iter().any(|(stop, _)| stop.split(':').next() == Some(word)), "{name}");
        }
        for name in bandwidth::NAMES {
            let word = name.split([':', '[']).next().unwrap();
            assert!(pairs.iter().any(|(_, bandwidth)| bandwidth.split(':').next() == Some(word)), "{name}");
        }
    }

    #[test]
    fn the_best_moment_to_start_is_the_one_that_ends_in_a_pause() {
        let forecast = ask(&settings(), 8);
        let chosen = &forecast.policies[0];
        let (at, figures) = chosen.best().unwrap();
        let downtime = chosen.downtime.unwrap();
        assert_eq!(figures.downtime, downtime.least);
        assert!(downtime.most > 10.0 * downtime.least, "{downtime:?}");
        // The copy takes most of a second, and the pause lasts from 1 s to 4 s.
        assert!((1.0..3.5).contains(&at), "{at}");
    }

    #[test]
    fn what_gives_up_says_why() {
        let limited =
            Settings { max_downtime: Some(Duration::from_millis(1)), stop: "psc".into(), ..settings() };
        let chosen = ask(&limited, 1).policies.swap_remove(0);
        assert!(chosen.total.is_none() && chosen.best().is_none());
        assert!(chosen.starts[0].fails.as_ref().unwrap().contains("gave up"), "{:?}", chosen.starts);
    }
}
