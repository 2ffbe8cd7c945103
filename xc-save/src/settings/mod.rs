//! What can be set: by a flag, else by `XC_MIGRATE_*` in the environment, else by `/etc/xen/xc-migrate.toml`, else
//! by default.

mod connections;
mod file;
mod policies;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};
use ffi::MapMode;
use policy::{bandwidth, stop, units};

use crate::progress::Style;

pub use connections::Connections;
pub use file::{CONFIG_VARIABLE, DEFAULT_CONFIG};
pub(crate) use policies::rate_text;
pub use values::{Origin, SettingError, Values};

/// Something that can be set, by its name in the configuration file. Its variable is `XC_MIGRATE_` and the name in
/// capitals; its flag is the name with hyphens.
#[derive(Debug)]
pub struct Setting {
    /// The name in the file.
    pub key: &'static str,
    /// The value when nobody sets it; empty where that means "none".
    pub default: &'static str,
    /// Says what is wrong with a value.
    pub check: fn(&str) -> Result<(), String>,
}

/// Flags that were given.
pub type Flags = Vec<(&'static Setting, String)>;

/// The stop policy.
pub static STOP: Setting = Setting { key: "stop", default: "xen", check: stop_policy };
/// The bandwidth policy.
pub static BANDWIDTH: Setting = Setting { key: "bandwidth", default: "unlimited", check: bandwidth_policy };
/// What the link carries.
pub static LINK_RATE: Setting = Setting { key: "link_rate", default: "", check: rate };
/// The longest downtime to accept.
pub static MAX_DOWNTIME: Setting = Setting { key: "max_downtime", default: "", check: time };
/// How long the live copy may take.
pub static TIMEOUT: Setting = Setting { key: "timeout", default: "", check: time };
/// What to do when it takes longer.
pub static TIMEOUT_ACTION: Setting = Setting { key: "timeout_action", default: "abort", check: action };
/// How the guest's memory is made readable during a live copy.
pub static MAP: Setting = Setting { key: "map", default: "full", check: map_mode };
/// Over how many connections the pages go.
pub static CONNECTIONS: Setting = Setting { key: "connections", default: "auto", check: connections };
/// How progress is shown.
pub static PROGRESS: Setting = Setting { key: "progress", default: "auto", check: style };
/// The file for the statistics.
pub static STATS: Setting = Setting { key: "stats", default: "", check: any };
/// The file for Prometheus.
pub static METRICS: Setting = Setting { key: "metrics", default: "", check: any };
/// The command that reaches another host.
pub static SSH: Setting = Setting { key: "ssh", default: "ssh", check: any };

/// The command that receives the guest there.
pub static RECEIVER: Setting = Setting { key: "receiver", default: "xc-migrate-receive", check: any };
/// The program that owns Xen domains.
pub static XL: Setting = Setting { key: "xl", default: "xl", check: any };
/// The save helper that libxl shall start; where it was installed if not given.
pub static HELPER: Setting = Setting { key: "helper", default: "", check: any };

/// All of them, in the order in which they are shown.
pub static ALL: [&Setting; 15] = [
    &STOP,
    &BANDWIDTH,
    &LINK_RATE,
    &MAX_DOWNTIME,
    &TIMEOUT,
    &TIMEOUT_ACTION,
    &MAP,
    &CONNECTIONS,
    &PROGRESS,
    &STATS,
    &METRICS,
    &SSH,
    &RECEIVER,
    &XL,
    &HELPER,
];

impl Setting {
    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("XC_MIGRATE_{}", self.key.to_uppercase())
    }

    /// Reads its flag.
    #[must_use]
    pub fn parser(&self) -> impl TypedValueParser<Value = String> + use<> {
        let check = self.check;
        NonEmptyStringValueParser::new().try_map(move |text| check(&text).map(|()| text))
    }
}

/// What to do when a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Give the migration up.
    Abort,
    /// Suspend the guest and send the rest.
    Stop,
}

/// The settings in force for moving a guest.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stop policy, by name; it exists.
    pub stop: String,
    /// The bandwidth policy, by name; it exists.
    pub bandwidth: String,
    /// What the link carries, bit/s.
    pub link_rate: Option<f64>,
    /// The longest downtime to accept.
    pub max_downtime: Option<Duration>,
    /// How long the live copy may take.
    pub timeout: Option<Duration>,
    /// What to do then.
    pub timeout_action: Action,
    /// How the guest is mapped.
    pub map: MapMode,
    /// Over how many connections the pages go, where there can be several.
    pub connections: Connections,
    /// The command that reaches another host; empty when the host is the command.
    pub ssh: String,
    /// The command that receives the guest there.
    pub receiver: String,
    /// `xl`: a path, or a name to be found in `PATH`.
    pub xl: PathBuf,
    /// The save helper for it, if not the one that was installed.
    pub helper: Option<PathBuf>,
    /// What a save helper needs to know, as variables.
    pub for_helper: Vec<(String, String)>,
    /// What is told.
    pub report: Report,
}

/// The settings in force for what is told.
#[derive(Clone, Debug)]
pub struct Report {
    /// How progress is shown.
    pub progress: Style,
    /// The file for the statistics.
    pub stats: Option<PathBuf>,
    /// The file for Prometheus.
    pub metrics: Option<PathBuf>,
}

impl From<&Values> for Settings {
    fn from(values: &Values) -> Self {
        Self {
            stop: values.text(&STOP).to_owned(),
            bandwidth: values.text(&BANDWIDTH).to_owned(),
            link_rate: units::bits_per_second(values.text(&LINK_RATE)),
            max_downtime: units::duration(values.text(&MAX_DOWNTIME)),
            timeout: units::duration(values.text(&TIMEOUT)),
            timeout_action: read_action(values.text(&TIMEOUT_ACTION)).unwrap_or(Action::Abort),
            map: values.text(&MAP).parse().unwrap_or_default(),
            connections: values.text(&CONNECTIONS).parse().unwrap_or_default(),
            ssh: values.text(&SSH).to_owned(),
            receiver: values.text(&RECEIVER).to_owned(),
            xl: values.text(&XL).into(),
            helper: path(values.text(&HELPER)),
            for_helper: values.iter().filter_map(for_helper).collect(),
            report: Report::from(values),
        }
    }
}

impl From<&Values> for Report {
    fn from(values: &Values) -> Self {
        Self {
            progress: Style::read(values.text(&PROGRESS)).unwrap_or(Style::Auto),
            stats: path(values.text(&STATS)),
            metrics: path(values.text(&METRICS)),
        }
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// All that is told is told by the command itself: the helper writes no files.
fn for_helper((setting, value, _): (&'static Setting, &str, &Origin)) -> Option<(String, String)> {
    let told = [&STATS, &METRICS].into_iter().any(|mine| mine.key == setting.key);
    let value = if told { "" } else { value };
    (setting.key != PROGRESS.key).then(|| (setting.variable(), value.to_owned()))
}

/// The long help of `--stop`.
pub(crate) fn stop_help() -> String {
    let names = stop::NAMES.join("\n  ");
    format!("When to end the live copy. Not given, it is {}. There are:\n\n  {names}", STOP.default)
}

/// The long help of `--bandwidth`.
pub(crate) fn bandwidth_help() -> String {
    let names = bandwidth::NAMES.join("\n  ");
    format!(
        "How fast to send, rates in bit/s (100M, 1G). Not given, it is {}. There are:\n\n  {names}",
        BANDWIDTH.default
    )
}

fn stop_policy(text: &str) -> Result<(), String> {
    policies::by_name(text).map(|_| ()).map_err(|error| error.to_string())
}

fn bandwidth_policy(text: &str) -> Result<(), String> {
    bandwidth::by_name(text).map(|_| ()).map_err(|error| error.to_string())
}

fn rate(text: &str) -> Result<(), String> {
    units::bits_per_second(text).map(|_| ()).ok_or_else(|| "not a rate in bit/s such as 100M or 10G".into())
}

fn time(text: &str) -> Result<(), String> {
    units::duration(text).map(|_| ()).ok_or_else(|| "not a time such as 300ms, 60s or 10min".into())
}

fn action(text: &str) -> Result<(), String> {
    read_action(text).map(|_| ()).ok_or_else(|| "not abort or stop".into())
}

fn read_action(text: &str) -> Option<Action> {
    match text {
        "abort" => Some(Action::Abort),
        "stop" => Some(Action::Stop),
        _ => None,
    }
}

fn map_mode(text: &str) -> Result<(), String> {
    text.parse::<MapMode>().map(|_| ()).map_err(|_| "not full or batch".into())
}

fn connections(text: &str) -> Result<(), String> {
    text.parse::<Connections>().map(|_| ())
}

fn style(text: &str) -> Result<(), String> {
    Style::read(text).map(|_| ()).ok_or_else(|| "not auto, plain, json or none".into())
}

#[expect(clippy::unnecessary_wraps, reason = "one of the checks")]
fn any(_: &str) -> Result<(), String> {
    Ok(())
}
