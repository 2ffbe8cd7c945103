//! `xc-migrate record`, `learn` and `predict`.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use engine::Abort;
use ffi::signals::abort_on_signals;
use policy::markov::{Model, WINDOW};
use policy::units;
use serde_json::json;
use sim::Recording;
use tempfile::NamedTempFile;

use super::NAME;
use crate::Error;
use crate::cli::wrong_setting;
use crate::console::{chain, data, say};
use crate::domain_name::DomainName;
use crate::exit::Exit;
use crate::flags::Tuning;
use crate::forecast::{Forecast, ForecastError, Question, SLOT, Watching, watch};
use crate::settings::{Settings, Values};

/// How long a guest is watched to be predicted.
const TIME: &str = "10s";
/// How many starting moments there are, if nobody says.
const STARTS: usize = 10;
/// More than anybody waits for.
const MOST_STARTS: i64 = 1000;

/// Records a guest.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Record {
    /// The guest: a Xen domain's name or id, or host:NAME.
    domain: DomainName,

    /// Where to. The file appears under its name when it is complete.
    file: PathBuf,

    /// For how long.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    time: Duration,

    /// How often to look which pages it wrote.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "100ms")]
    slot: Duration,
}

/// Learns from recordings.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Learn {
    /// Recordings of `xc-migrate record`, with slots of the same length.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Where the model goes, for --stop fm:model=MODEL or am:model=MODEL.
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,

    /// How many slots a pattern has; the papers' 50 by default.
    #[arg(long, value_name = "N", default_value_t = WINDOW, value_parser = window)]
    window: usize,

    /// Learn what is seen of the guest in rounds of this length; by default in rounds of a slot.
    #[arg(long, value_name = "TIME", value_parser = time)]
    round: Option<Duration>,
}

/// Predicts a migration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Predict {
    /// A Xen domain or host:NAME, which is watched for a while, or a file of `xc-migrate record`.
    #[arg(value_name = "DOMAIN|FILE")]
    subject: Subject,

    /// How long to watch a guest.
    #[arg(long = "for", value_name = "TIME", value_parser = time, default_value = TIME)]
    time: Duration,

    /// At how many moments the migration might start, evenly over what was watched.
    #[arg(long, value_name = "N", default_value_t = STARTS, value_parser = starts)]
    starts: usize,

    /// As JSON (docs/forecast.schema.json).
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    tuning: Tuning,
}

/// What is predicted.
#[derive(Clone, Debug)]
enum Subject {
    Guest(DomainName),
    File(PathBuf),
}

impl FromStr for Subject {
    type Err = String;

    /// A file is one that is there, or is named with a slash.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') || Path::new(text).exists() {
            return Ok(Self::File(text.into()));
        }
        text.parse().map(Self::Guest).map_err(|error| format!("there is no such file, and {error}"))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(name) => name.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

fn time(text: &str) -> Result<Duration, &'static str> {
    units::duration(text).filter(|time| !time.is_zero()).ok_or("not a time such as 300ms, 60s or 10min")
}

fn starts(text: &str) -> Result<usize, String> {
    number(text, 1..=MOST_STARTS)
}

fn window(text: &str) -> Result<usize, String> {
    number(text, 1..=policy::markov::MAX_WINDOW as i64)
}

fn number(text: &str, range: std::ops::RangeInclusive<i64>) -> Result<usize, String> {
    let number = text.parse::<i64>().ok().filter(|number| range.contains(number));
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| format!("not a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn record(args: &Record) -> Exit {
    match Values::load(Vec::new()) {
        Ok(values) => end(write_recording(args, &Settings::from(&values))),
        Err(error) => wrong_setting(NAME, &error),
    }
}

pub(super) fn learn(args: &Learn) -> Exit {
    end(write_model(args))
}

pub(super) fn predict(args: &Predict) -> Exit {
    match Values::load(args.tuning.flags()) {
        Ok(values) => end(print_forecast(args, &Settings::from(&values))),
        Err(error) => wrong_setting(NAME, &error),
    }
}

fn end(result: Result<(), ForecastError>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            say(format_args!("{NAME}: {}", chain(&error)));
            error.exit()
        }
    }
}

fn write_recording(args: &Record, settings: &Settings) -> Result<(), ForecastError> {
    // Before the guest is watched: a file that cannot be written is known at once.
    let file = new_file(&args.file)?;
    let recording = watched(&args.domain, settings, Watching { slot: args.slot, time: args.time })?;
    keep(file, &args.file, &recording.to_bytes())?;
    let seconds = recording.slot().as_secs_f64() * recording.len() as f64;
    let dirty: u64 = recording.growth(1).iter().sum();
    say(format_args!(
        "{} is in {}: {seconds:.1} s, {:.0} dirty pages/s; the guest runs on as before",
        args.domain,
        args.file.display(),
        dirty as f64 / seconds
    ));
    Ok(())
}

fn watched(domain: &DomainName, settings: &Settings, how: Watching) -> Result<Recording, ForecastError> {
    let abort = Abort::new();
    abort_on_signals(&abort).map_err(Error::Signals)?;
    Ok(watch(domain, settings, how, &abort)?)
}

fn write_model(args: &Learn) -> Result<(), ForecastError> {
    let file = new_file(&args.output)?;
    let recordings = args.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let slot = recordings.first().map(Recording::slot).unwrap_or_default();
    if let Some((path, other)) = args.files.iter().zip(&recordings).find(|(_, other)| other.slot() != slot) {
        return Err(ForecastError::Slots { path: path.clone(), found: other.slot(), expected: slot });
    }
    let round = args.round.unwrap_or(slot).as_nanos().div_ceil(slot.as_nanos().max(1));
    let round = usize::try_from(round).unwrap_or(usize::MAX);
    let series: Vec<Vec<u64>> = recordings.iter().map(|recording| recording.growth(round)).collect();
    let states: Vec<&[u64]> = series.iter().map(Vec::as_slice).collect();
    let model = Model::learn(&states, slot, args.window).ok_or(ForecastError::TooShort(args.window))?;
    keep(file, &args.output, &model.to_bytes())?;
    let (patterns, path) = (model.patterns().len(), args.output.display());
    say(format_args!("{patterns} patterns of {} slots of {slot:?} are in {path}", model.window()));
    Ok(())
}

fn print_forecast(args: &Predict, settings: &Settings) -> Result<(), ForecastError> {
    let link_rate = settings.link_rate.ok_or(ForecastError::NoLinkRate)?;
    let recording = match &args.subject {
        Subject::File(path) => read(path)?,
        Subject::Guest(domain) => watched(domain, settings, Watching { slot: SLOT, time: args.time })?,
    };
    let forecast = Forecast::of(&Question {
        recording: Arc::new(recording),
        link_rate,
        live: true,
        verify: args.tuning.debug,
        settings,
        starts: args.starts,
    });
    if args.json {
        data(json!(forecast));
    } else {
        data(format_args!("{}: {}", args.subject, forecast.table()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Recording, ForecastError> {
    let bytes = fs::read(path).map_err(|cause| ForecastError::Read(path.to_owned(), cause))?;
    let recording =
        Recording::from_bytes(&bytes).map_err(|cause| ForecastError::Recording(path.to_owned(), cause))?;
    if recording.is_empty() { Err(ForecastError::Empty(path.to_owned())) } else { Ok(recording) }
}

/// A file that is not there yet; it goes away if it is not kept.
fn new_file(path: &Path) -> Result<NamedTempFile, ForecastError> {
    let directory = path.parent().filter(|parent| *parent != OsStr::new("")).unwrap_or(Path::new("."));
    NamedTempFile::new_in(directory).map_err(|cause| ForecastError::Write(path.to_owned(), cause))
}

fn keep(mut file: NamedTempFile, path: &Path, bytes: &[u8]) -> Result<(), ForecastError> {
    let written =
        file.write_all(bytes).and_then(|()| file.persist(path).map(drop).map_err(|error| error.error));
    written.map_err(|cause| ForecastError::Write(path.to_owned(), cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_guest_or_a_file() {
        assert!(matches!("host:web".parse(), Ok(Subject::Guest(_))));
        assert!(matches!("./web".parse(), Ok(Subject::File(_))));
        assert!(matches!("Cargo.toml".parse(), Ok(Subject::File(_))));
        assert!(matches!("web".parse(), Ok(Subject::Guest(DomainName::Xen(_)))));
        let neither = "host:".parse::<Subject>().unwrap_err();
        assert!(neither.starts_with("there is no such file, and a name must follow host:"), "{neither}");
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(starts("1"), Ok(1));
        assert_eq!(starts("0"), Err("not a whole number from 1 to 1000".into()));
        assert!(window("1025").is_err() && window("x").is_err() && time("0s").is_err());
    }
}
