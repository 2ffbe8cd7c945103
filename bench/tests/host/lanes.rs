//! Streams of pages alone, beside the one that has all else: what they may not hold, and how they end.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use engine::libxc::{DomainHeader, DomainKind, Record};
use engine::{
    Abort, BATCH_PAGES, Context, Error, GuestPage, Lane, Link, PAGE_SIZE, PageEntry, PageType, Pfn,
    RecordSink as _, RestoreOptions, StreamSink, WallClock, restore_from_lanes,
};
use ffi::host::NameUse;
use stream::Input;
use stream::libxc::{Encoder, Limits, StreamUse};

use crate::guests::{World, config};

/// How long the other lanes have before the first one ends, or a lane that has nothing more to say looks whether it is stopped.
const A_WHILE: Duration = Duration::from_millis(300);
/// No restore here may take longer.
const AT_MOST: Duration = Duration::from_secs(5);

/// Keeps what is sent.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Link for Kept {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.0.extend_from_slice(head);
        self.0.resize(self.0.len() + pages.iter().map(|run| run.len() * PAGE_SIZE).sum::<usize>(), 7);
        Ok(())
    }
}

/// The bytes of a stream, and then silence: for [`A_WHILE`], or until it is stopped.
struct Then {
    bytes: io::Cursor<Vec<u8>>,
    until: Option<Abort>,
}

impl Read for Then {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buf)?;
        if read == 0 && !buf.is_empty() {
            thread::sleep(A_WHILE);
            while self.until.as_ref().is_some_and(|stop| stop.reason().is_none()) {
                thread::sleep(A_WHILE);
            }
        }
        Ok(read)
    }
}

fn header() -> DomainHeader {
    DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 }
}

/// The start of the first stream, or of a lane, with one page.
fn stream(of_lane: bool, pfn: u64) -> Vec<u8> {
    let (clock, abort) = (WallClock::start(), Abort::new());
    let (mut first, mut lane) = (Kept::default(), Kept::default());
    let mut sink = StreamSink::new(&mut first, DomainKind::Hvm, &clock, &abort);
    let mut beside = sink.beside(&mut lane);
    let page = [GuestPage::from_bytes(&[7; PAGE_SIZE])];
    let entries = [PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab }];
    sink.begin(&header()).unwrap();
    sink.record(&Record::StaticDataEnd).unwrap();
    beside.begin(&header()).unwrap();
    if of_lane { beside.pages(&entries, &[&page]) } else { sink.pages(&entries, &[&page]) }.unwrap();
    drop((sink, beside));
    if of_lane { lane.0 } else { first.0 }
}

/// Why a guest is not made of these streams; of the second there comes no more until it is stopped, if `silent`.
fn refused(first: Vec<u8>, lane: Vec<u8>, silent: bool) -> Error {
    static WORLDS: AtomicU32 = AtomicU32::new(0);
    let world = World::new(&format!("lanes-{}", WORLDS.fetch_add(1, Ordering::Relaxed)));
    let mut target = world.host.create(config("web", "idle"), "web", NameUse::FreeNow).unwrap();
    let (clock, abort, stop) = (WallClock::start(), Abort::new(), Abort::new());
    let mut context = Context { clock: &clock, observer: &mut (), abort: &abort };
    let then = |bytes, until| Input::new(Then { bytes: io::Cursor::new(bytes), until });
    let lane = Lane { input: then(lane, silent.then(|| stop.clone())), stop };
    let started = Instant::now();
    let options = RestoreOptions::default();
    let result = restore_from_lanes(then(first, None), vec![lane], &mut target, options, &mut context);
    assert!(started.elapsed() < AT_MOST, "{:?}", started.elapsed());
    assert_eq!(world.host.list().unwrap(), Vec::<String>::new(), "nothing of it is left");
    result.map(|_| ()).unwrap_err()
}

#[test]
fn a_page_on_another_lane_than_its_own_is_refused() {
    let own = BATCH_PAGES as u64;
    let error = refused(stream(false, 0), stream(true, own - 1), false);
    assert!(matches!(error, Error::WrongLane { pfn: Pfn(1023), .. }), "{error:?}");
    let error = refused(stream(false, own), stream(true, own), true);
    assert!(matches!(error, Error::WrongLane { pfn: Pfn(1024), .. }), "{error:?}");
}

#[test]
fn a_lane_has_no_state() {
    let mut lane = stream(true, BATCH_PAGES as u64);
    // STATIC_DATA_END: type 16, no body.
    lane.extend_from_slice(&[16, 0, 0, 0, 0, 0, 0, 0]);
    let error = refused(stream(false, 0), lane, false);
    assert!(format!("{error:?}").contains("WrongUse"), "{error:?}");
    let limits = Limits { stream_use: StreamUse::Lane, ..Limits::default() };
    Encoder::with_limits(DomainKind::Hvm, limits)
        .record(&Record::StaticDataEnd, &mut Vec::new())
        .unwrap_err();
}

#[test]
fn a_lane_that_breaks_off_is_the_cause() {
    let lane = stream(true, BATCH_PAGES as u64);
    let length = lane.len();
    for cut in [0, 10, 30, length - 1, length] {
        let error = refused(stream(false, 0), lane[..cut].to_vec(), false);
        assert!(format!("{error:?}").contains("Truncated"), "{cut}: {error:?}");
    }
}

#[test]
fn a_lane_that_is_silent_does_not_outlive_the_first() {
    let error = refused(stream(false, 0), stream(true, BATCH_PAGES as u64), true);
    assert!(format!("{error:?}").contains("Truncated"), "{error:?}");
}
