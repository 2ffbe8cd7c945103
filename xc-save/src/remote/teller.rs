//! The side where the engine is.

use std::io::Read;
use std::time::Duration;
use std::{env, io, thread};

use engine::{Abort, Event, Link, Observer};
use ffi::link::{LinkSpec, SendLink, open_receive, open_send};
use ffi::xl::FRONT;
use serde::Serialize;

use super::Line;

/// How often pages are told.
const EVERY: Duration = Duration::from_millis(50);
/// Why a run ends whose command gave up, or died.
const HUNG_UP: &str = "the command that moves the guest gave up";

/// Tells the command that started `xl` what happens.
#[derive(Debug)]
pub struct Teller {
    link: SendLink,
    told: Duration,
}

impl Teller {
    /// The one that the environment asks for; `abort` is raised when nobody listens any more.
    ///
    /// # Errors
    /// When the environment names no descriptor.
    pub fn from_env(abort: &Abort) -> io::Result<Option<Self>> {
        let Some(number) = env::var_os(FRONT) else { return Ok(None) };
        let fd = number.to_str().and_then(|number| number.parse().ok());
        let fd = fd.ok_or_else(|| io::Error::other(format!("{FRONT} is no descriptor")))?;
        let spec = LinkSpec::Fd(fd);
        abort_on_hang_up(&spec, abort)?;
        // An abort is told too, so this link does not hear it.
        let link = open_send(&spec, &Abort::new()).map_err(io::Error::other)?;
        Ok(Some(Self { link, told: Duration::ZERO }))
    }

    /// It went well.
    pub fn done(&mut self, report: &impl Serialize) {
        if let Ok(report) = serde_json::to_value(report) {
            self.tell(&Line::Done { report });
        }
    }

    /// It did not.
    pub fn failed(&mut self, reason: String, gave_up: bool) {
        self.tell(&Line::Failed { gave_up, reason });
    }

    fn tell(&mut self, line: &Line) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        // Who does not listen any more has hung up, and that is heard.
        let _ = self.link.send(&text, &[]);
    }
}

impl Observer for Teller {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        if let Event::Pages { .. } = event {
            if at < self.told + EVERY {
                return;
            }
            self.told = at;
        }
        self.tell(&Line::of(at, event));
    }
}

fn abort_on_hang_up(spec: &LinkSpec, abort: &Abort) -> io::Result<()> {
    let mut link = open_receive(spec, &Abort::new(), |_| ()).map_err(io::Error::other)?;
    let abort = abort.clone();
    thread::Builder::new().name("front".into()).spawn(move || {
        // Nothing is ever said there.
        let _ = link.read(&mut [0]);
        abort.raise(HUNG_UP);
    })?;
    Ok(())
}
