//! `--save-domain`.

use std::fmt;

use engine::{
    BoxError, Context, DirtyTracker, SaveOptions, SaveReport, Source, SourceDomain, StreamSink, WallClock,
};

use super::observer::LibxlObserver;
use super::session::{Statistics, Told, Witness, keep, run};
use super::{Error, HelperToolstack, Level, SaveArgs, Session};
use crate::link::{LinkSpec, open_send};

/// What a save works on.
pub struct SaveWorld<D, T> {
    /// The domain.
    pub domain: D,
    /// Its log-dirty.
    pub tracker: T,
    /// How to save it; `live` and `verify` are libxl's to say, and overwritten.
    pub options: SaveOptions,
    /// Gets the report of a save that was done.
    pub statistics: Statistics<SaveReport>,
    /// Who hears of it, beside libxl.
    pub witness: Option<Box<dyn Witness<SaveReport>>>,
}

impl<D, T> fmt::Debug for SaveWorld<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveWorld").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Saves the domain that `open` opens, as libxl asks for.
///
/// **Behind it log-dirty is off, every byte of the stream is in the descriptor, and libxl knows the outcome** and
/// resumes the guest if it is a failure. **With the end of the process nothing of the domain is mapped.** This holds for
/// signals, for a panic, and for a broken stream. When libxl itself is gone, qemu may still log its writes, and a guest that was
/// suspended stays so: they are libxl's.
///
/// # Errors
/// What libxl could not be told, for standard error; [`Error::exit_code`] is the exit status. On `Ok` it is 0,
/// for a failed save too: libxl takes any other for a crash of the helper, and never learns the reason.
pub fn save<D: SourceDomain, T: DirtyTracker>(
    args: &SaveArgs,
    open: impl FnOnce(&Session) -> Result<SaveWorld<D, T>, BoxError>,
) -> Result<(), Error> {
    run("save", args.callbacks, |session| send(args, session, open(session)?))
}

fn send<D: SourceDomain, T: DirtyTracker>(
    args: &SaveArgs,
    session: &Session,
    mut world: SaveWorld<D, T>,
) -> Result<(), BoxError> {
    let Session { channel, abort } = session;
    let kind = world.domain.header().kind;
    channel.log(Level::Info, &format!("Saving domain {}, {kind}", args.domid));
    (world.options.live, world.options.verify) = (args.live, args.debug);
    let clock = WallClock::start();
    let link = open_send(&LinkSpec::Fd(args.stream_fd), abort)?;
    let source = Source {
        domain: &mut world.domain,
        tracker: &mut world.tracker,
        toolstack: &mut HelperToolstack::new(channel, args.domid, kind),
    };
    let mut sink = StreamSink::new(link, kind, &clock, abort);
    let mut told = Told { libxl: LibxlObserver::new(channel), witness: world.witness };
    let mut context = Context { clock: &clock, observer: &mut told, abort };
    let result = engine::save(source, &mut sink, &mut world.options, &mut context);
    told.witness.iter_mut().for_each(|witness| witness.end(result.as_ref()));
    let report = result?;
    channel.progress("Complete", 0, 0);
    keep(world.statistics, &report, channel);
    Ok(())
}
