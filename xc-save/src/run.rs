//! The way of one save or migration.

use std::io;
use std::time::{Duration, Instant};

use engine::{Abort, Clock, Context, Link, SaveOptions, SaveReport, StreamSink, WallClock};
use ffi::link::{LinkSpec, ReceiveLink, SendLink, new_lanes, open_command, open_send};
use ffi::scheduler::be_prompt;
use ffi::signals::abort_on_signals;
use policy::SpecError;
use policy::bandwidth::Metered;
use stream::lanes::Lanes;
use stream::xl::handshake::READY;

use crate::audience::{Audience, Log};
use crate::console::{chain, say};
use crate::control::{Register, Status};
use crate::domain_name::DomainName;
use crate::exit::Exit;
use crate::guest::Guest;
use crate::hand_over::{Departing, Dialogue, expect, hand_over};
use crate::host::{self, Process};
use crate::job::{Afterwards, Destination, Job};
use crate::limits::abort_on_timeout;
use crate::metrics::{self, Metrics};
use crate::progress::Measure;
use crate::settings::Connections;
use crate::stats::Ending;
use crate::xen::Attached;
use crate::{Error, envelope, link_use, places, stats, summary, xen};

/// How long the other end may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The same where somebody may have to type a password first.
const LOGIN_WITHIN: Duration = Duration::from_secs(300);

/// Does what the job says; prints the errors and, last, where the guest is.
#[must_use]
pub fn run(job: &Job) -> Exit {
    let mut run = Run::new(job);
    let ending = match run.all() {
        Ok(place) => Ending { exit: Exit::Done, error: None, place },
        Err(failure) => run.after(&failure),
    };
    run.tell(&ending);
    ending.exit
}

/// One run, and what is known of it so far.
pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    pub(crate) clock: WallClock,
    pub(crate) abort: Abort,
    /// For `xc-migrate status` and `cancel`.
    pub(crate) register: Option<Register>,
    /// The Xen domain that is moved, once it is found.
    pub(crate) domain: Option<Attached>,
    pub(crate) report: Option<SaveReport>,
    /// When the save began, on this clock: the times of its report count from there.
    pub(crate) began: Duration,
    /// When the target said that the guest runs.
    pub(crate) running: Option<Duration>,
}

impl<'a> Run<'a> {
    fn new(job: &'a Job) -> Self {
        Self {
            job,
            clock: WallClock::start(),
            abort: Abort::new(),
            register: None,
            domain: None,
            report: None,
            began: Duration::ZERO,
            running: None,
        }
    }

    /// From the guest's name to its end here; returns where the guest is.
    fn all(&mut self) -> Result<String, Error> {
        abort_on_signals(&self.abort).map_err(Error::Signals)?;
        match &self.job.domain {
            DomainName::Host(name) => {
                let guest = Process::attach(name, self.job.settings.map)?;
                tracing::info!("attached to {name}");
                self.register = self.enter();
                self.move_away(guest)
            }
            DomainName::Xen(name) => xen::move_away(self, name),
        }
    }

    /// What to say of a failure. Of a Xen domain it is asked where it is, and one that is not as it was found is
    /// undecided.
    fn after(&self, failure: &Error) -> Ending {
        let (place, as_before) = match &self.domain {
            Some(domain) => domain.whereabouts(),
            None => (places::after_failure(failure, self.job), true),
        };
        let exit = match failure.exit() {
            Exit::Failed | Exit::GaveUp | Exit::Interrupted if !as_before => Exit::Undecided,
            exit => exit,
        };
        Ending { exit, error: Some(chain(failure)), place }
    }

    pub(crate) fn enter(&self) -> Option<Register> {
        let status = Status {
            id: self.job.domain.to_string(),
            command: self.job.command.to_owned(),
            pid: std::process::id(),
            to: self.job.to.to_string(),
            phase: "connect".to_owned(),
            measure: self.measure(),
        };
        let entered = Register::enter(&host::migrations(), status, &self.abort);
        entered.inspect_err(|error| tracing::warn!("cannot be asked for the status: {error}")).ok()
    }

    fn move_away(&mut self, mut guest: impl Guest) -> Result<String, Error> {
        let mut link = self.connect()?;
        self.limit();
        self.send(&mut guest, &mut link)?;
        if link.is_duplex() { self.give(guest, link) } else { self.keep(guest, link) }
    }

    /// From here on the time of `--timeout` runs.
    pub(crate) fn limit(&self) {
        abort_on_timeout(&self.job.settings, &self.abort);
    }

    /// The link, with a receiver at its other end if it can answer.
    pub(crate) fn connect(&self) -> Result<SendLink, Error> {
        let (mut link, within) = match &self.job.to {
            Destination::Link(spec) => (open_send(spec, &self.abort)?, READY_WITHIN),
            Destination::Command { command, .. } => {
                tracing::info!("running {command}");
                (open_command(command, &self.abort)?, LOGIN_WITHIN)
            }
        };
        if link.is_duplex() {
            if self.job.afterwards.stays() {
                return Err(Error::Stays);
            }
            expect(&mut link, READY, within).map_err(|cause| self.heard(Error::NoReceiver(cause)))?;
            tracing::info!("{} is ready to receive", self.job.to);
        }
        Ok(link)
    }

    /// Sends the stream in its envelope; the guest is suspended then.
    fn send(&mut self, guest: &mut impl Guest, link: &mut SendLink) -> Result<(), Error> {
        let config = guest.config(self.job.config.as_deref())?;
        let (lanes, others) = self.open_others(link)?.unzip();
        let before = envelope::before(config, lanes)?;
        link.send(&before, &[]).map_err(|cause| self.heard(Error::Send(cause)))?;
        let others = others.unwrap_or_default();
        let report = self.save(guest, link, others)?;
        self.began = report.started;
        self.report = Some(report);
        let after = envelope::after()?;
        link.send(&after, &[]).map_err(|cause| self.heard(Error::Send(cause)))
    }

    /// The connections beside the first, if the pages go over more than one, and what the target is told of them. They are
    /// there before it is told: a link that passes only one on is still good for that one.
    fn open_others(&self, link: &SendLink) -> Result<Option<(Lanes, Vec<SendLink>)>, Error> {
        let (wanted, count) = (self.job.settings.connections, self.job.settings.connections.count());
        if count == 1 || !matches!(self.job.to, Destination::Link(LinkSpec::Tcp { .. })) {
            return Ok(None);
        }
        let lanes = new_lanes(count).map_err(Error::Lanes)?;
        match link.open_lanes(&lanes) {
            Ok(others) => {
                tracing::info!("the pages go over {count} connections");
                Ok(Some((lanes, others)))
            }
            Err(cause) if wanted == Connections::Auto && self.abort.reason().is_none() => {
                tracing::info!("the pages go over one connection, for another cannot be had: {cause}");
                Ok(None)
            }
            Err(cause) => Err(self.heard(Error::Lanes(cause))),
        }
    }

    fn save(
        &self,
        guest: &mut impl Guest,
        link: &mut SendLink,
        mut others: Vec<SendLink>,
    ) -> Result<SaveReport, Error> {
        let mut options = self.options(link)?;
        let mut audience = self.audience();
        let mut sink = StreamSink::new(link, guest.kind(), &self.clock, &self.abort);
        let mut others: Vec<_> = others.iter_mut().map(|link| sink.beside(link)).collect();
        let mut context = Context { clock: &self.clock, observer: &mut audience, abort: &self.abort };
        Ok(engine::save_by_lanes(guest.source(), &mut sink, &mut others, &mut options, &mut context)?)
    }

    pub(crate) fn options(&self, link: &SendLink) -> Result<SaveOptions, SpecError> {
        let settings = &self.job.settings;
        let mut bandwidth = settings.bandwidth_policy()?;
        if bandwidth.reads_link()
            && let Some(meter) = link_use::meter(self.job, link.counter())
        {
            bandwidth = Box::new(Metered::new(bandwidth, meter));
        }
        let policies = SaveOptions::live(settings.stop_policy()?, bandwidth);
        Ok(SaveOptions { live: self.job.live, verify: self.job.verify, ..policies })
    }

    pub(crate) fn audience(&self) -> Audience {
        let report = &self.job.settings.report;
        let metrics = report.metrics.clone();
        let metrics = metrics.map(|path| Metrics::new(path, self.job.domain.to_string(), self.measure()));
        Audience::default()
            .with(Log)
            .with_some(self.register.as_ref().map(Register::observer))
            .with_some(metrics)
            .with_box(report.progress.observer(self.measure()))
    }

    fn measure(&self) -> Measure {
        Measure::new(self.job.settings.link_rate)
    }

    /// The target has it all: it gets the guest, or says that it does not want it.
    fn give(&mut self, mut guest: impl Guest, mut link: SendLink) -> Result<String, Error> {
        let mut handed = Handed { guest: &mut guest, register: self.register.as_ref() };
        self.running = Some(self.hand_over(&mut link, &mut handed)?);
        tracing::info!("the target runs the guest");
        if self.job.afterwards != Afterwards::Hold {
            guest.destroy().map_err(|cause| Error::Aftermath("ended", cause.into()))?;
        }
        Ok(places::given(self.job))
    }

    /// Hands the suspended guest over; returns when the target said that it runs.
    pub(crate) fn hand_over(
        &self,
        link: &mut impl Dialogue,
        guest: &mut impl Departing,
    ) -> Result<Duration, Error> {
        let _prompt = be_prompt();
        hand_over(link, guest, &self.abort).map_err(|error| match error {
            crate::hand_over::Error::NotGiven(_) => self.heard(error.into()),
            error => error.into(),
        })?;
        Ok(self.clock.now())
    }

    /// The guest is in a file, or went into a pipe that gives no answer.
    fn keep(&mut self, mut guest: impl Guest, link: SendLink) -> Result<String, Error> {
        let durable = link.is_durable();
        link.commit().map_err(|cause| self.heard(cause.into()))?;
        if let Some(reason) = self.abort.reason() {
            return Err(Error::Aborted(reason.into()));
        }
        if self.job.afterwards == Afterwards::Pause {
            guest.pause().map_err(|cause| Error::Aftermath("paused", cause.into()))?;
        }
        if self.job.afterwards.stays() {
            guest.resume().map_err(|cause| engine::Error::World {
                phase: engine::Phase::Close,
                step: "resuming the guest",
                cause,
            })?;
        } else if durable && self.job.afterwards == Afterwards::End {
            guest.destroy().map_err(|cause| Error::Aftermath("ended", cause.into()))?;
        } else {
            guest.give_away().map_err(|cause| Error::Aftermath("kept aside", cause.into()))?;
        }
        Ok(places::kept(self.job, durable))
    }

    /// A failure of the link, seen as the abort that it may be.
    pub(crate) fn heard(&self, otherwise: Error) -> Error {
        self.abort.reason().map_or(otherwise, |reason| Error::Aborted(reason.into()))
    }

    /// The figures for all who want them; errors and, last, where the guest is.
    fn tell(&mut self, ending: &Ending) {
        let report = &self.job.settings.report;
        if let (Some(save), true, None) = (&self.report, report.progress.is_for_people(), &ending.error) {
            say(summary::table(save, self.running()));
        }
        if let Some(error) = &ending.error {
            say(format_args!("{}: {error}", self.job.command));
        }
        self.write_files(ending);
        if let Some(register) = self.register.take() {
            register.end(ending.exit, &ending.place);
        }
        report.progress.end(ending.exit, &ending.place);
        say(&ending.place);
    }

    /// When the target said that the guest runs, as the report counts.
    fn running(&self) -> Option<Duration> {
        Some(self.running?.saturating_sub(self.began))
    }

    /// What cannot be written is said, and changes nothing about the guest.
    fn write_files(&self, ending: &Ending) {
        let (report, save, running) = (&self.job.settings.report, self.report.as_ref(), self.running());
        if let Some(path) = &report.stats {
            let written = stats::write(path, self.job, ending, save, running);
            complain(self.job.command, "the statistics", path, written);
        }
        if let Some(path) = &report.metrics {
            let ended = metrics::Ended {
                exit: ending.exit,
                bytes: save.map_or(0, |save| save.bytes),
                total: running.or_else(|| Some(save?.total)),
                downtime: stats::downtime(save, running),
            };
            let written = metrics::write_end(path, &self.job.domain.to_string(), &ended);
            complain(self.job.command, "the metrics", path, written);
        }
    }
}

/// Says that a file for others could not be written.
pub fn complain(command: &str, what: &str, path: &std::path::Path, written: io::Result<()>) {
    if let Err(error) = written {
        say(format_args!("{command}: cannot write {what} to {}: {error}", path.display()));
    }
}

struct Handed<'a, G> {
    guest: &'a mut G,
    register: Option<&'a Register>,
}

impl<G: Guest> Departing for Handed<'_, G> {
    fn give_away(&mut self) -> Result<(), engine::BoxError> {
        if self.register.is_some_and(|register| !register.decide()) {
            return Err("it was cancelled in the last moment".into());
        }
        Ok(self.guest.give_away()?)
    }

    fn take_back(&mut self) -> Result<(), engine::BoxError> {
        Ok(self.guest.take_back()?)
    }
}

impl Dialogue for ReceiveLink {
    fn tell(&mut self, message: &[u8]) -> io::Result<()> {
        self.reply(message)
    }

    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.receive(message, deadline)
    }

    fn ignore_abort(&mut self) {
        Self::ignore_abort(self);
    }
}

impl Dialogue for SendLink {
    fn tell(&mut self, message: &[u8]) -> io::Result<()> {
        self.send(message, &[])
    }

    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.receive(message, deadline)
    }

    fn ignore_abort(&mut self) {
        Self::ignore_abort(self);
    }
}
