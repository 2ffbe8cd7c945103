//! The helper's side: a real process with a simulated world.

use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, thread};

use engine::libxc::{DomainHeader, Record};
use engine::{
    BoxError, DirtyTracker, Harvest, PageType, Pfn, PfnSet, SaveOptions, SaveReport, SourceDomain, Threads,
    Toolstack,
};
use ffi::helper::{
    Error, Invocation, RestoreResults, RestoreWorld, SaveWorld, Session, chain, exec_stock, restore, save,
};
use nix::unistd::{dup2_stdin, dup2_stdout};
use policy::bandwidth;
use policy::stop::{self, Decision};
use sim::{
    ConstantRate, FaultPoint, Notes, SimBatch, SimConfig, SimGuest, SimSource, SimTarget, SimTracker,
    VirtualClock, Witnessed,
};

/// The command line of the helper, and the sign that this process is one.
pub(crate) const ARGS: &str = "XC_TEST_HELPER_ARGS";
/// A directory for what the world wants to tell the test.
pub(crate) const DIRECTORY: &str = "XC_TEST_HELPER_DIRECTORY";
/// What goes wrong in the world.
pub(crate) const TROUBLE: &str = "XC_TEST_HELPER_TROUBLE";
/// Where libtest has its own standard input and output, the pipes are.
const INPUT: i32 = 3;
const OUTPUT: i32 = 4;

/// More than a pipe holds: 512 KiB.
pub(crate) const PAGES: u64 = 128;
/// The stop policy, by name.
pub(crate) const STOP: &str = "xen";
const PAGES_PER_SECOND: u64 = 2000;
const TIME_PER_BATCH: Duration = Duration::from_millis(20);
/// No dialogue takes nearly this long.
const PATIENCE: Duration = Duration::from_secs(20);
const HUNG: i32 = 99;
/// The rings of the restored guest.
pub(crate) const RESULTS: RestoreResults = RestoreResults { store_gfn: 0xfeffc, console_gfn: 0xfefff };

/// Not a test of its own: the helper that libxl starts.
#[test]
fn helper_process() {
    let Ok(args) = env::var(ARGS) else { return };
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        exit(HUNG);
    });
    // SAFETY: the shell that started this process opened both, and nothing closes them.
    let (input, output) = unsafe { (BorrowedFd::borrow_raw(INPUT), BorrowedFd::borrow_raw(OUTPUT)) };
    dup2_stdin(input).unwrap();
    dup2_stdout(output).unwrap();
    let args: Vec<OsString> = args.split(' ').map(OsString::from).collect();
    let code = match perform(&args) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("libxl-save-helper: {}", chain(&error));
            error.exit_code().into()
        }
    };
    exit(code);
}

#[expect(clippy::exit, reason = "returning would give the test's status, not the helper's")]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}

fn perform(args: &[OsString]) -> Result<(), Error> {
    match Invocation::parse(args)? {
        Invocation::Save(save_args) => {
            let clock = VirtualClock::new();
            let guest = guest(&clock);
            let result = save(&save_args, |_| source(&guest, clock, save_args.live));
            witness("tracking", &guest.is_tracking().to_string());
            witness("batches", &guest.batches_held().to_string());
            witness("guest", &format!("{:?}", guest.snapshot()));
            result
        }
        Invocation::Restore(restore_args) => restore(&restore_args, target),
        Invocation::Stock => Err(exec_stock(args)),
        other => panic!("no test asks for {other:?}"),
    }
}

/// Tells the test something.
fn witness(name: &str, text: &str) {
    fs::write(PathBuf::from(env::var_os(DIRECTORY).unwrap()).join(name), text).unwrap();
}

fn trouble() -> String {
    env::var(TROUBLE).unwrap_or_default()
}

/// A guest that writes its pages for ever.
pub(crate) fn guest(clock: &VirtualClock) -> SimGuest {
    let config = SimConfig { pages: PAGES, seed: 7, ..SimConfig::default() };
    SimGuest::new(&config, ConstantRate::new(PAGES_PER_SECOND, 0..PAGES), clock)
}

fn source(
    guest: &SimGuest,
    clock: VirtualClock,
    live: bool,
) -> Result<SaveWorld<HelpersSource, HelpersTracker>, BoxError> {
    match trouble().as_str() {
        "open" => return Err(std::io::Error::from_raw_os_error(libc::EACCES).into()),
        "stop" => guest.fail_at(FaultPoint::Stop, 1),
        _ => {}
    }
    let (domain, tracker, _) = guest.split();
    let (stop, notes) = Witnessed::new(stop::by_name(STOP)?);
    let mut options = SaveOptions::live(Box::new(stop), bandwidth::by_name("unlimited")?);
    options.batch = 16;
    options.threads = Threads::Pipelined;
    Ok(SaveWorld {
        domain: HelpersSource { domain, guest: guest.clone(), clock, live, batches: Cell::new(0) },
        tracker: HelpersTracker { tracker, guest: guest.clone() },
        options,
        witness: None,
        statistics: Box::new(move |report| {
            witness("statistics", &report.bytes.to_string());
            witness("decisions", &decisions(&notes, report));
            if trouble() == "statistics" { Err("no room for them".into()) } else { Ok(()) }
        }),
    })
}

/// What the policy decided, if another one by that name decides the same.
fn decisions(notes: &Notes<Decision>, report: &SaveReport) -> String {
    let made = notes.answers();
    if made.is_empty() {
        return "nobody asked".into();
    }
    let mut other = stop::by_name(STOP).expect("it was made before");
    assert_eq!(notes.again(other.as_mut()), made);
    assert!(notes.obeyed_by(report), "{made:?}: {report:?}");
    format!("{} rounds, {} decisions: {}", report.rounds.len(), made.len(), report.stop_reason)
}

fn target(_: &Session) -> Result<RestoreWorld<SimTarget>, BoxError> {
    Ok(RestoreWorld {
        target: SimTarget::new(PAGES),
        results: |target| {
            witness("guest", &format!("{:?}", target.snapshot()));
            RESULTS
        },
        witness: None,
        statistics: Box::new(|report| {
            witness("statistics", &report.bytes.to_string());
            Ok(())
        }),
    })
}

/// The simulated guest is not libxl's to suspend: it is suspended here when the engine goes on as if it were.
fn suspend(guest: &SimGuest) {
    if guest.is_running() {
        guest.split().2.suspend().unwrap();
    }
}

/// The guest, on a clock that every batch moves.
struct HelpersSource {
    domain: SimSource,
    guest: SimGuest,
    clock: VirtualClock,
    live: bool,
    batches: Cell<u32>,
}

impl SourceDomain for HelpersSource {
    type Batch = SimBatch;

    fn header(&self) -> DomainHeader {
        self.domain.header()
    }

    fn pfn_limit(&self) -> u64 {
        self.domain.pfn_limit()
    }

    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError> {
        self.domain.page_types(pfns, types)
    }

    fn batch(&mut self, pfns: &[Pfn]) -> Result<SimBatch, BoxError> {
        if !self.live {
            suspend(&self.guest);
        }
        self.clock.advance(TIME_PER_BATCH);
        self.batches.set(self.batches.get() + 1);
        assert!(trouble() != "panic" || self.batches.get() < 3, "the world came to an end");
        self.domain.batch(pfns)
    }

    fn static_records(&mut self) -> Result<Vec<Record>, BoxError> {
        self.domain.static_records()
    }

    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        self.domain.records_before_memory()
    }

    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        suspend(&self.guest);
        self.domain.records_after_memory()
    }
}

struct HelpersTracker {
    tracker: SimTracker,
    guest: SimGuest,
}

impl DirtyTracker for HelpersTracker {
    fn start(&mut self) -> Result<(), BoxError> {
        self.tracker.start()
    }

    fn harvest(&mut self, into: &mut PfnSet, when: Harvest) -> Result<(), BoxError> {
        if when == Harvest::Final {
            suspend(&self.guest);
        }
        self.tracker.harvest(into, when)
    }

    fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        self.tracker.peek(into)
    }

    fn stop(&mut self) -> Result<(), BoxError> {
        self.tracker.stop()
    }
}
