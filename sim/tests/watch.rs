//! Watching a guest, on the virtual clock.

use std::time::Duration;

use engine::{Abort, Context, Error, PfnSet, Source, Watch, watch};
use sim::model::kernel_compile;
use sim::{FaultPoint, Recording, SimConfig, SimGuest, VirtualClock};

const PAGES: u64 = 4096;
const WATCH: Watch = Watch { slot: Duration::from_millis(100), slots: 30 };

fn guest(clock: &VirtualClock) -> SimGuest {
    let config = SimConfig { pages: PAGES, ..SimConfig::default() };
    SimGuest::new(&config, kernel_compile(2000.0, PAGES, 1), clock)
}

fn run(guest: &SimGuest, clock: &VirtualClock, abort: &Abort, saw: impl FnMut(&PfnSet)) -> Result<(), Error> {
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    watch(source, WATCH, &mut Context { clock, observer: &mut (), abort }, saw)
}

fn assert_as_before(guest: &SimGuest) {
    assert!(guest.is_running() && !guest.is_tracking() && !guest.is_logging_device_writes());
}

#[test]
fn a_watched_guest_is_recorded_as_it_runs() {
    let clock = VirtualClock::new();
    let guest = guest(&clock);
    let mut recording = Recording::new(PAGES, WATCH.slot);
    run(&guest, &clock, &Abort::new(), |dirty| recording.push(dirty)).unwrap();
    let slots = WATCH.slots as usize;
    assert_eq!(recording, Recording::of(kernel_compile(2000.0, PAGES, 1), PAGES, WATCH.slot, slots));
    assert_as_before(&guest);
}

#[test]
fn nothing_is_left_on_when_it_fails_or_is_aborted() {
    for point in [FaultPoint::Start, FaultPoint::LogDeviceWrites, FaultPoint::Harvest] {
        let clock = VirtualClock::new();
        let guest = guest(&clock);
        guest.fail_at(point, 1);
        let error = run(&guest, &clock, &Abort::new(), |_| {}).unwrap_err();
        assert!(error.to_string().starts_with("cannot watch the guest: "), "{error}");
        assert_as_before(&guest);
    }
    let clock = VirtualClock::new();
    let guest = guest(&clock);
    let (abort, mut seen) = (Abort::new(), 0);
    let aborted = run(&guest, &clock, &abort, |_| {
        seen += 1;
        if seen == 3 {
            abort.raise("enough");
        }
    });
    assert_eq!((aborted.unwrap_err().to_string(), seen), ("aborted: enough".into(), 3));
    assert_as_before(&guest);
}

#[test]
fn what_stays_on_is_said() {
    let clock = VirtualClock::new();
    let guest = guest(&clock);
    guest.fail_at(FaultPoint::Stop, 1);
    let error = run(&guest, &clock, &Abort::new(), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "cannot watch the guest: switching log-dirty off failed");
}
