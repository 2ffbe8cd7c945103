//! The helper's dialogue with a libxl that these tests play, in real processes and over real pipes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod dialogue;
mod faults;
mod libxl;
mod refusals;
mod restores;
mod stock;
mod traces;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use engine::{Abort, Clock, Context, RestoreOptions, SaveOptions, Source, StreamSink};
use engine::{libxc::DomainKind, restore};
use policy::{bandwidth, stop};
use sim::{SimGuest, SimLink, SimTarget, SimWire, VirtualClock};
use stream::Input;

use child::{PAGES, guest};

/// An empty directory, another one at each call.
fn directory(test: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("helper-{test}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A new file to write a stream to and to read it back from.
fn stream_file(directory: &Path) -> File {
    let path = directory.join("stream");
    File::options().read(true).write(true).create_new(true).open(path).unwrap()
}

/// What every page holds, in a form to compare.
fn pages_of(target: &SimTarget) -> String {
    format!("{:?}", target.snapshot())
}

/// Restores the libxc stream at `file`'s offset, and leaves the offset behind its end.
fn restored(file: &File) -> SimTarget {
    let mut target = SimTarget::new(PAGES);
    let (clock, abort) = (VirtualClock::new(), Abort::new());
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    restore(Input::new(file), &mut target, RestoreOptions::default(), &mut context).unwrap();
    assert!(target.is_complete());
    target
}

/// A good stream, and what the guest in it holds.
fn saved_stream() -> (Vec<u8>, String) {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::new(), Abort::new());
    let guest: SimGuest = guest(&clock);
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut sink = StreamSink::new(SimLink::new(&clock, &wire), DomainKind::Hvm, &clock, &abort);
    let mut options =
        SaveOptions::live(stop::by_name("xen").unwrap(), bandwidth::by_name("unlimited").unwrap());
    let mut context = Context { clock: &clock as &dyn Clock, observer: &mut (), abort: &abort };
    engine::save(source, &mut sink, &mut options, &mut context).unwrap();
    (wire.contents(), format!("{:?}", guest.snapshot()))
}
