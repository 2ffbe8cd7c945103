//! `--restore-domain`.

use std::fmt;

use engine::{BoxError, Context, RestoreOptions, RestoreReport, TargetDomain, WallClock};
use stream::Input;

use super::observer::LibxlObserver;
use super::session::{Statistics, Told, Witness, keep, run};
use super::static_data::StaticDataTarget;
use super::{Error, Notice, RestoreArgs, RestoreResults, Session};
use crate::link::{LinkSpec, open_receive};

/// What a restore works on.
pub struct RestoreWorld<T> {
    /// The domain that is built.
    pub target: T,
    /// Where its rings are, once it is complete.
    pub results: fn(&T) -> RestoreResults,
    /// Gets the report of a restore that was done.
    pub statistics: Statistics<RestoreReport>,
    /// Who hears of it, beside libxl.
    pub witness: Option<Box<dyn Witness<RestoreReport>>>,
}

impl<T> fmt::Debug for RestoreWorld<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreWorld").finish_non_exhaustive()
    }
}

/// Restores into the target that `open` opens, as libxl asks for.
///
/// **Behind it libxl knows the outcome: the domain is complete and paused and exactly the stream's bytes were
/// read, or its content is discarded** and libxl destroys it.
///
/// # Errors
/// As for [`save`](super::save).
pub fn restore<T: TargetDomain>(
    args: &RestoreArgs,
    open: impl FnOnce(&Session) -> Result<RestoreWorld<T>, BoxError>,
) -> Result<(), Error> {
    run("restore", args.callbacks, |session| {
        let received = open(session).and_then(|world| receive(args, session, world));
        // After a failure too, as the stock helper does: libxl complains when they are missing.
        let results = *received.as_ref().unwrap_or(&RestoreResults::default());
        let told = session.channel.tell(&Notice::RestoreResults(results));
        received.and(told.map_err(Into::into))
    })
}

fn receive<T: TargetDomain>(
    args: &RestoreArgs,
    session: &Session,
    mut world: RestoreWorld<T>,
) -> Result<RestoreResults, BoxError> {
    let Session { channel, abort } = session;
    let clock = WallClock::start();
    // Reads exactly what it is asked for: what is behind the stream is libxl's.
    let link = open_receive(&LinkSpec::Fd(args.stream_fd), abort, |_| ())?;
    let mut target = StaticDataTarget::new(&mut world.target, channel, args.domid);
    let mut told = Told { libxl: LibxlObserver::new(channel), witness: world.witness };
    let mut context = Context { clock: &clock, observer: &mut told, abort };
    let options = RestoreOptions::default();
    let result =
        engine::restore(Input::new(link), &mut target, options, &mut context).map(|(report, _)| report);
    told.witness.iter_mut().for_each(|witness| witness.end(result.as_ref()));
    let report = result?;
    keep(world.statistics, &report, channel);
    Ok((world.results)(&world.target))
}
