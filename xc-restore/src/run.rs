//! The way of one restore.

use engine::{Abort, Context, Lane, RestoreOptions, RestoreReport, WallClock};
use ffi::link::{Door, LinkSpec, ReceiveLink, open_answering, open_receive};
use ffi::signals::abort_on_signals;
use stream::Input;
use stream::lanes::Lanes;
use stream::xl::handshake::READY;
use xc_save::audience::{Audience, Log};
use xc_save::complain;
use xc_save::console::{chain, data, say};
use xc_save::exit::Exit;
use xc_save::metrics::{self, Metrics};
use xc_save::progress::Measure;
use xc_save::stats::Ending;

use crate::host::{self, HostTarget, NameUse};
use crate::job::{Job, Origin};
use crate::take_over::{self, NotStarted, take_over};
use crate::{Error, envelope, into, stats, xen};

/// Does what the job says; prints the errors and, last, where the guest is.
#[must_use]
pub fn run(job: &Job) -> Exit {
    let mut run = Run { job, clock: WallClock::start(), abort: Abort::new(), name: None, report: None };
    let ending = match run.all() {
        Ok(place) => Ending { exit: Exit::Done, error: None, place },
        Err(failure) => {
            let failure = as_abort(failure, &run.abort);
            Ending {
                exit: failure.exit(),
                error: Some(chain(&failure)),
                place: place_after(&failure, run.name.as_deref()),
            }
        }
    };
    run.tell(&ending);
    ending.exit
}

/// The further connections of the source.
fn accept(door: Option<Door>, lanes: &Lanes) -> Result<Vec<Lane<ReceiveLink>>, Error> {
    door.ok_or(Error::NoDoor)?.accept(lanes).map_err(Error::Lanes)
}

/// A failure before the guest was ours, seen as the abort that it may be.
fn as_abort(failure: Error, abort: &Abort) -> Error {
    match (&failure, abort.reason()) {
        (Error::TakeOver(error), _) if !matches!(error, take_over::Error::NotGiven(_)) => failure,
        (_, None) => failure,
        (_, Some(reason)) => Error::Aborted(reason.into()),
    }
}

/// Where the guest is after a failure.
fn place_after(failure: &Error, name: Option<&str>) -> String {
    if let Error::XlDied(_) = failure {
        return format!(
            "{} is where it was: with its source, or in its file; what `xl` may have left of it here is in `xl list`, and \
             `xl destroy` ends it",
            name.unwrap_or("the domain")
        );
    }
    let place = match failure {
        Error::TakeOver(take_over::Error::Unheard(_)) => {
            "the guest runs here; on the source, end the suspended copy with `xc-guest stop NAME--migratedaway`"
        }
        Error::TakeOver(take_over::Error::Unknown(_)) => {
            "it is not known whether the guest runs here: see `xl list`; the source keeps it, suspended"
        }
        _ => "nothing of the guest is left here; it is where it was: with its source, or in its file",
    };
    place.to_owned()
}

/// One run, and what is known of it so far.
pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    pub(crate) clock: WallClock,
    pub(crate) abort: Abort,
    /// The guest's name here, once it is known.
    pub(crate) name: Option<String>,
    pub(crate) report: Option<RestoreReport>,
}

impl Run<'_> {
    /// From the link to the running guest; returns where it is.
    fn all(&mut self) -> Result<String, Error> {
        abort_on_signals(&self.abort).map_err(Error::Signals)?;
        let ready = self.make_ready()?;
        let mut link = self.connect()?;
        // Only a guest process may come by more than one connection.
        let door = link.take_door();
        if let Some(domid) = self.job.into {
            drop(door);
            return into::receive(self, domid, link);
        }
        // A source on this same host has the name until it gives the guest away.
        let name_use = if link.is_duplex() { NameUse::FreeAtStart } else { NameUse::FreeNow };
        let mut input = Input::new(&mut link);
        let saved = envelope::config(&mut input)?;
        // The world is chosen here, by what the header holds.
        if let Some(name) = xen::name(&saved) {
            drop(door);
            return xen::receive(self, saved, &name, input);
        }
        let mut target = self.receive(&saved, input, door, name_use, ready)?;
        let paused = self.job.paused;
        if link.is_duplex() {
            take_over(&mut link, || {
                target.start(paused).map_err(|cause| NotStarted::Discarded(cause.into()))
            })?;
        } else {
            if let Some(reason) = self.abort.reason() {
                return Err(Error::Aborted(reason.into()));
            }
            target.start(paused).map_err(Error::Start)?;
        }
        let verb = if paused { "is paused" } else { "runs" };
        let pages = self.report.as_ref().map_or(0, |report| report.populated);
        Ok(format!("host:{} {verb} here, {pages} pages", target.config().name))
    }

    /// Whether the source comes later, and then answers.
    fn waits(&self) -> bool {
        matches!(self.job.from, Origin::Link(LinkSpec::Tcp { .. } | LinkSpec::Unix(_)))
    }

    /// A guest that already has its memory: where its configuration is given, nothing has to wait for the source but the
    /// stream. A file that is no guest process's configuration may be xl's; only the stream tells.
    fn make_ready(&self) -> Result<Option<HostTarget>, Error> {
        let path = self.job.config.as_deref().filter(|_| self.waits());
        let Some(config) = path.and_then(|path| host::other_config(path).ok()) else { return Ok(None) };
        let mut target = host::create(config, self.job.name.as_ref(), NameUse::FreeAtStart)?;
        target.reserve().map_err(Error::Create)?;
        Ok(Some(target))
    }

    fn connect(&self) -> Result<ReceiveLink, Error> {
        let mut link = match &self.job.from {
            Origin::Link(spec) => {
                open_receive(spec, &self.abort, |at| say(format_args!("listening on {at}")))?
            }
            Origin::Migration => open_answering(&self.abort)?,
        };
        if link.is_duplex() {
            link.reply(READY).map_err(Error::Greet)?;
        }
        Ok(link)
    }

    /// Reads the stream in its envelope and builds the guest from it.
    fn receive(
        &mut self,
        saved: &[u8],
        mut input: Input<&mut ReceiveLink>,
        door: Option<Door>,
        name_use: NameUse,
        ready: Option<HostTarget>,
    ) -> Result<HostTarget, Error> {
        let config = match &self.job.config {
            Some(path) => host::other_config(path)?,
            None => host::saved_config(saved)?,
        };
        let lanes = envelope::before(&mut input)?;
        let others = lanes.map_or(Ok(Vec::new()), |lanes| accept(door, &lanes))?;
        let mut target = match ready {
            Some(target) => target,
            None => host::create(config, self.job.name.as_ref(), name_use)?,
        };
        self.name = Some(format!("host:{}", target.config().name));
        let mut audience = self.audience();
        let mut context = Context { clock: &self.clock, observer: &mut audience, abort: &self.abort };
        let options = RestoreOptions { digest: self.job.digest };
        let (report, mut input) =
            engine::restore_from_lanes(input, others, &mut target, options, &mut context)?;
        self.report = Some(report);
        envelope::after(&mut input)?;
        Ok(target)
    }

    pub(crate) fn audience(&self) -> Audience {
        let report = &self.job.settings.report;
        let metrics = report.metrics.clone();
        Audience::default()
            .with(Log)
            .with_some(metrics.map(|path| Metrics::new(path, self.label(), Measure::default())))
            .with_box(report.progress.observer(Measure::default()))
    }

    /// The guest as others know it; empty before it has a name.
    fn label(&self) -> String {
        self.name.clone().unwrap_or_default()
    }

    /// The figures for all who want them; errors and, last, where the guest is.
    fn tell(&self, ending: &Ending) {
        let Job { command, settings, .. } = self.job;
        let report = &settings.report;
        let digest = self.report.as_ref().and_then(|report| Some((report.digest?, report.populated)));
        if let (Some((digest, pages)), None) = (digest, &ending.error) {
            data(format_args!("{digest:032x} {pages}"));
        }
        if let Some(error) = &ending.error {
            say(format_args!("{command}: {error}"));
        }
        if let Some(path) = &report.stats {
            let written = stats::write(path, self.job, &self.label(), ending, self.report.as_ref());
            complain(command, "the statistics", path, written);
        }
        if let Some(path) = &report.metrics {
            let (bytes, total) = self.report.as_ref().map_or((0, None), |r| (r.bytes, Some(r.total)));
            let ended = metrics::Ended { exit: ending.exit, bytes, total, downtime: None };
            complain(command, "the metrics", path, metrics::write_end(path, &self.label(), &ended));
        }
        report.progress.end(ending.exit, &ending.place);
        match self.job.from {
            // The sender's own lines are on the same terminal.
            Origin::Migration => say(format_args!("{command}: {}", ending.place)),
            Origin::Link(_) => say(&ending.place),
        }
    }
}
