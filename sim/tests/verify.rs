//! The pages are sent twice, and compared: what it finds, and what it lets pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::iter;
use std::time::Duration;

use engine::{
    Abort, Context, Error, Event, Observer, Phase, RestoreOptions, SaveOptions, Source, StreamSink, Threads,
    libxc::DomainKind, restore, save,
};
use policy::{bandwidth, stop};
use sim::{Content, SimConfig, SimGuest, SimLink, SimTarget, SimWire, VirtualClock};
use stream::{Input, Pfn};

const PAGES: u64 = 64;
const WRITTEN: Pfn = Pfn(7);

/// Writes to a page, without a trace in the dirty log, when a phase begins.
struct Outsider {
    guest: SimGuest,
    phase: Phase,
    left_out: u64,
}

impl Observer for Outsider {
    fn event(&mut self, _: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase) if phase == self.phase => self.guest.write_unlogged(WRITTEN, Content(99)),
            Event::Changed { pages } => self.left_out += pages,
            _ => {}
        }
    }
}

/// Migrates with comparison; how many pages were left out, and what the target found.
fn migrate(phase: Phase, threads: Threads) -> (u64, Result<(), Error>) {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::new(), Abort::new());
    let guest = SimGuest::new(&SimConfig { pages: PAGES, ..SimConfig::default() }, iter::empty(), &clock);
    let mut observer = Outsider { guest: guest.clone(), phase, left_out: 0 };
    let mut options = SaveOptions {
        live: phase != Phase::Verify,
        verify: true,
        threads,
        batch: 8,
        ..SaveOptions::live(stop::by_name("xen").unwrap(), bandwidth::by_name("unlimited").unwrap())
    };
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut sink = StreamSink::new(SimLink::new(&clock, &wire), DomainKind::Hvm, &clock, &abort);
    let mut context = Context { clock: &clock, observer: &mut observer, abort: &abort };
    save(source, &mut sink, &mut options, &mut context).unwrap();

    let mut target = SimTarget::new(PAGES);
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    let found = restore(Input::new(wire), &mut target, RestoreOptions::default(), &mut context);
    (observer.left_out, found.map(|_| ()))
}

#[test]
fn what_others_write_while_the_guest_is_suspended_is_left_out() {
    for threads in [Threads::Inline, Threads::Pipelined] {
        let (left_out, found) = migrate(Phase::Verify, threads);
        assert_eq!(left_out, 1);
        found.unwrap();
    }
}

#[test]
fn a_write_that_the_dirty_log_missed_is_found() {
    for threads in [Threads::Inline, Threads::Pipelined] {
        let (left_out, found) = migrate(Phase::StopAndCopy, threads);
        assert_eq!(left_out, 0);
        assert!(matches!(found, Err(Error::Differ { pages: 1, first: WRITTEN, .. })), "{found:?}");
    }
}
