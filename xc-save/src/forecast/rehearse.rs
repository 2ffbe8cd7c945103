//! `--dry-run`: the forecast of a migration that is not made.

use std::sync::Arc;
use std::time::Duration;

use engine::Abort;
use ffi::signals::abort_on_signals;
use serde_json::json;

use super::{Forecast, ForecastError, Question, SLOT, Watching, watch};
use crate::Error;
use crate::console::{chain, data, say};
use crate::exit::Exit;
use crate::job::Job;
use crate::link_use;
use crate::progress::Style;

/// How long the guest is watched.
const TIME: Duration = Duration::from_secs(10);
/// How many starting moments there are in that time.
const STARTS: usize = 10;

/// Watches the guest, prints what the job would come to, and moves nothing.
#[must_use]
pub(crate) fn rehearse(job: &Job) -> Exit {
    match forecast(job) {
        Ok(forecast) => {
            if job.settings.report.progress == Style::Json {
                data(json!(forecast));
            } else {
                data(forecast.table());
            }
            say(format_args!("nothing was moved: {} runs on here as before", job.domain));
            Exit::Done
        }
        Err(error) => {
            say(format_args!("{}: {}", job.command, chain(&error)));
            error.exit()
        }
    }
}

fn forecast(job: &Job) -> Result<Forecast, ForecastError> {
    let by_interface = || link_use::interface(job)?.speed();
    let link_rate = job.settings.link_rate.or_else(by_interface).ok_or(ForecastError::NoLinkRate)?;
    let abort = Abort::new();
    abort_on_signals(&abort).map_err(Error::Signals)?;
    say(format_args!("watching {} for {} s", job.domain, TIME.as_secs()));
    let how = Watching { slot: SLOT, time: TIME };
    let recording = Arc::new(watch(&job.domain, &job.settings, how, &abort)?);
    let (live, verify, settings) = (job.live, job.verify, &job.settings);
    Ok(Forecast::of(&Question { recording, link_rate, live, verify, settings, starts: STARTS }))
}
