//! A Xen domain to a file and back with nothing but this library: no libxl, no xl. The proof in the bed that
//! `XenToolstack` and `XenTarget::open_existing` do what they say.
//!
//!   xen-domain save DOMID FILE       suspend, write the bare libxc stream, resume
//!   xen-domain live DOMID FILE       the same with a pre-copy
//!   xen-domain restore DOMID FILE    into a domain that never ran; it stays paused

use std::env;

use engine::{
    Abort, BoxError, Context, RestoreOptions, SaveOptions, Source, SourceDomain, StreamSink, Toolstack,
    WallClock,
};
use ffi::MapMode;
use ffi::link::{LinkSpec, open_receive, open_send};
use ffi::signals::abort_on_signals;
use ffi::xen::{XenSource, XenTarget, XenToolstack};
use policy::{bandwidth, stop};
use stream::Input;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [verb, domid, file] = args.as_slice() else {
        return Err("usage: xen-domain save|live|restore DOMID FILE".into());
    };
    let (domid, file) = (domid.parse()?, LinkSpec::File(file.into()));
    let abort = Abort::new();
    abort_on_signals(&abort)?;
    match verb.as_str() {
        "save" => save(domid, &file, false, &abort),
        "live" => save(domid, &file, true, &abort),
        "restore" => restore(domid, &file, &abort),
        other => Err(format!("{other} is none of save, live and restore").into()),
    }
}

fn save(domid: u32, file: &LinkSpec, live: bool, abort: &Abort) -> Result<(), BoxError> {
    let mut domain = XenSource::open(domid, MapMode::Full)?;
    let mut tracker = domain.tracker()?;
    let mut toolstack = XenToolstack::open(domid, abort)?;
    let (clock, kind) = (WallClock::start(), domain.header().kind);
    let mut link = open_send(file, abort)?;
    let mut sink = StreamSink::new(&mut link, kind, &clock, abort);
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut options = SaveOptions::live(stop::by_name("xen")?, bandwidth::by_name("unlimited")?);
    options.live = live;
    let mut context = Context { clock: &clock, observer: &mut (), abort };
    engine::save(source, &mut sink, &mut options, &mut context)?;
    link.commit()?;
    toolstack.resume()
}

fn restore(domid: u32, file: &LinkSpec, abort: &Abort) -> Result<(), BoxError> {
    let mut target = XenTarget::open_existing(domid)?;
    let link = open_receive(file, abort, |_| ())?;
    let mut context = Context { clock: &WallClock::start(), observer: &mut (), abort };
    engine::restore(Input::new(link), &mut target, RestoreOptions::default(), &mut context)?;
    Ok(())
}
