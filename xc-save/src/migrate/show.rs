//! What is in force, and what runs.

use serde_json::json;

use super::NAME;
use crate::cli::wrong_setting;
use crate::console::{chain, data, say};
use crate::control::{self, Cancelled, Status};
use crate::domain_name::{DomainName, XenName};
use crate::exit::Exit;
use crate::host;
use crate::settings::{Settings, Values};
use crate::xen;

/// Bytes in a MiB.
const MIB: f64 = (1 << 20) as f64;
/// Whole, in percent.
const PERCENT: u64 = 100;

/// The settings in force.
pub(super) fn config() -> Exit {
    match Values::load(Vec::new()) {
        Ok(values) => {
            for (setting, value, origin) in values.iter() {
                data(format_args!("{:<40} # {origin}", format!("{} = {value:?}", setting.key)));
            }
            Exit::Done
        }
        Err(error) => wrong_setting(NAME, &error),
    }
}

/// How migrations get on.
pub(super) fn status(id: Option<&DomainName>, as_json: bool) -> Exit {
    let directory = host::migrations();
    let found = match id {
        None => control::statuses(&directory),
        Some(id) => match control::status(&directory, &id.to_string()) {
            Ok(status) => vec![status],
            Err(error) => return failed(&error),
        },
    };
    if as_json {
        data(json!(found));
    } else if found.is_empty() {
        data("no migration runs here");
    } else {
        found.iter().for_each(|status| data(line(status)));
    }
    Exit::Done
}

/// Cancels one.
pub(super) fn cancel(id: &DomainName) -> Exit {
    match control::cancel(&host::migrations(), &id.to_string()) {
        Ok(Cancelled::Ended(exit, place)) if exit != Exit::Done as u8 => {
            say(place);
            Exit::Done
        }
        Ok(Cancelled::Ended(_, place)) => {
            say(format_args!("{NAME}: too late: {place}"));
            Exit::Failed
        }
        Ok(Cancelled::TooLate) => {
            say(format_args!("{NAME}: too late: {id} is being handed over to the target"));
            Exit::Failed
        }
        Err(error) => failed(&error),
    }
}

/// Lets a suspended Xen domain run.
pub(super) fn resume(domain: &XenName) -> Exit {
    let settings = match Values::load(Vec::new()) {
        Ok(values) => Settings::from(&values),
        Err(error) => return wrong_setting(NAME, &error),
    };
    match xen::resume(domain, &settings) {
        Ok(place) => {
            say(place);
            Exit::Done
        }
        Err(error) => {
            say(format_args!("{NAME}: {}", chain(&error)));
            Exit::Failed
        }
    }
}

fn failed(error: &control::ControlError) -> Exit {
    say(format_args!("{NAME}: {}", chain(error)));
    Exit::Failed
}

fn line(status: &Status) -> String {
    let measure = &status.measure;
    let mut parts = vec![match measure.round {
        0 => status.phase.clone(),
        round => format!("round {round}"),
    }];
    if let Some(percent) = (measure.handled * PERCENT).checked_div(measure.planned) {
        parts.push(format!("{percent}%"));
    }
    parts.extend(measure.rate.map(|rate| format!("{:.0} MiB/s", rate / MIB)));
    parts.extend(measure.dirty_rate.map(|rate| format!("dirties {:.0} MiB/s", rate / MIB)));
    parts.extend(measure.estimated_downtime.map(|time| format!("downtime {:.0} ms", time * 1e3)));
    parts.extend(measure.eta.map(|time| format!("pass ends in {time:.1} s")));
    let Status { id, command, pid, to, .. } = status;
    format!("{id} -> {to}: {}; {:.1} s so far ({command}, pid {pid})", parts.join(", "), measure.elapsed)
}
