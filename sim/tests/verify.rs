//! The pages are sent twice, and compared: what it finds, and what it lets pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{
    Abort, BoxError, Context, Error, Event, GuestPage, Observer, PageBatch, Phase, RestoreOptions,
    SaveOptions, Source, SourceDomain, StreamSink, Threads, restore, save,
};
use policy::{bandwidth, stop};
use sim::{Content, SimBatch, SimConfig, SimGuest, SimLink, SimSource, SimTarget, SimWire, VirtualClock};
use stream::libxc::{DomainHeader, DomainKind, Record};
use stream::{Input, PageEntry, PageType, Pfn};

const PAGES: u64 = 64;
const WRITTEN: Pfn = Pfn(7);

/// Writes to a page, without a trace in the dirty log, when a phase begins.
struct Outsider {
    guest: SimGuest,
    phase: Option<Phase>,
    left_out: u64,
}

impl Observer for Outsider {
    fn event(&mut self, _: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase) if Some(phase) == self.phase => {
                self.guest.write_unlogged(WRITTEN, Content(99))
            }
            Event::Changed { pages } => self.left_out += pages,
            _ => {}
        }
    }
}

/// A domain one of whose batches is written to, without a trace in the dirty log, between the first look at it and the
/// next.
struct Restless {
    domain: SimSource,
    guest: SimGuest,
    /// Batches with the page that are read before that one; `None` when there is none.
    before: Option<u32>,
}

struct RestlessBatch {
    first: SimBatch,
    later: Option<SimBatch>,
    looked: AtomicBool,
}

impl PageBatch for RestlessBatch {
    fn entries(&self) -> &[PageEntry] {
        self.first.entries()
    }

    fn runs(&self) -> impl Iterator<Item = &[GuestPage]> {
        let later = self.later.as_ref().filter(|_| self.looked.swap(true, Ordering::Relaxed));
        later.unwrap_or(&self.first).runs()
    }
}

impl SourceDomain for Restless {
    type Batch = RestlessBatch;

    fn batch(&mut self, pfns: &[Pfn]) -> Result<RestlessBatch, BoxError> {
        let first = self.domain.batch(pfns)?;
        let mut later = None;
        if pfns.contains(&WRITTEN) {
            if self.before == Some(0) {
                self.guest.write_unlogged(WRITTEN, Content(99));
                later = Some(self.domain.batch(pfns)?);
            }
            self.before = self.before.and_then(|before| before.checked_sub(1));
        }
        Ok(RestlessBatch { first, later, looked: AtomicBool::new(false) })
    }

    fn header(&self) -> DomainHeader {
        self.domain.header()
    }

    fn pfn_limit(&self) -> u64 {
        self.domain.pfn_limit()
    }

    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError> {
        self.domain.page_types(pfns, types)
    }

    fn static_records(&mut self) -> Result<Vec<Record>, BoxError> {
        self.domain.static_records()
    }

    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        self.domain.records_before_memory()
    }

    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        self.domain.records_after_memory()
    }
}

/// Migrates with comparison, see [`Outsider`] and [`Restless::before`]; how many pages were left out, and what the target
/// found.
fn migrate(written_in: Option<Phase>, before: Option<u32>, threads: Threads) -> (u64, Result<(), Error>) {
    let (clock, wire, abort) = (VirtualClock::new(), SimWire::new(), Abort::new());
    let guest = SimGuest::new(&SimConfig { pages: PAGES, ..SimConfig::default() }, iter::empty(), &clock);
    let mut observer = Outsider { guest: guest.clone(), phase: written_in, left_out: 0 };
    let mut options = SaveOptions {
        live: written_in == Some(Phase::StopAndCopy),
        verify: true,
        threads,
        batch: 8,
        ..SaveOptions::live(stop::by_name("xen").unwrap(), bandwidth::by_name("unlimited").unwrap())
    };
    let (domain, mut tracker, mut toolstack) = guest.split();
    let mut domain = Restless { domain, guest: guest.clone(), before };
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
        let (left_out, found) = migrate(Some(Phase::Verify), None, threads);
        assert_eq!(left_out, 1);
        found.unwrap();
    }
}

#[test]
fn a_write_that_the_dirty_log_missed_is_found() {
    for threads in [Threads::Inline, Threads::Pipelined] {
        let (left_out, found) = migrate(Some(Phase::StopAndCopy), None, threads);
        assert_eq!(left_out, 0);
        assert!(matches!(found, Err(Error::Differ { pages: 1, first: WRITTEN, .. })), "{found:?}");
    }
}

#[test]
fn what_others_write_while_a_page_is_on_its_way_is_no_difference() {
    // At first with the page that the target has as it was written, then with the one that it is to compare.
    for (before, leaves_out) in [(0, 1), (1, 0)] {
        for threads in [Threads::Inline, Threads::Pipelined] {
            let (left_out, found) = migrate(None, Some(before), threads);
            assert_eq!(left_out, leaves_out);
            found.unwrap();
        }
    }
}
