//! Many live migrations of a busy guest to and fro: no page may differ, no guest be lost, none run twice.
//!
//! `XC_SOAK=500 cargo test --release -p tests --test soak` runs 500 undisturbed and 100 disturbed ones; without it,
//! 20 of each.

mod random;
mod trouble;

use std::env;
use std::time::{Duration, Instant};

use random::Random;
use tests::{CutProxy, Finished, Running, World};
use trouble::Trouble;

/// Migrations of each kind when nobody says how many.
const DEFAULT: u64 = 20;
/// One of so many is disturbed in a soak.
const DISTURBED: u64 = 5;
/// A target that has no guest so long after its source has ended still waits for one.
const STILL_LISTENING: Duration = Duration::from_secs(5);
const MEMORY: &str = "64M";
const WORKLOADS: [&str; 3] = ["pagemod:rate=30000", "zipf:rate=60000", "burst:rate=80000,on=50ms,off=100ms"];
const POLICIES: [&str; 4] = ["xen", "classic", "fni:n=2", "psc"];

fn soak() -> Option<u64> {
    env::var("XC_SOAK").ok().map(|count| count.parse().expect("XC_SOAK is a number"))
}

/// A guest that is somewhere, and two hosts for it to be on.
struct Journey {
    hosts: [World; 2],
    /// The host that it is on.
    at: usize,
    random: Random,
    /// How long the last undisturbed migration took.
    usual: Duration,
}

impl Journey {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let hosts = [World::new(), World::new()];
        hosts[0].start_guest("web", MEMORY, random.of::<&str>(&WORKLOADS));
        Self { hosts, at: 0, random, usual: Duration::from_millis(300) }
    }

    fn here(&self) -> &World {
        &self.hosts[self.at]
    }

    fn there(&self) -> &World {
        &self.hosts[1 - self.at]
    }

    /// Moves the guest; the copies are at rest on both sides when both commands have ended well.
    fn migrate(&mut self, trouble: &Trouble) -> (Finished, Finished) {
        let policy = *self.random.of(&POLICIES);
        let (mut restore, port) = self.there().listen(&["-p", "--progress", "none"]);
        let link = match trouble {
            Trouble::Cut(bytes) => CutProxy::to(port, *bytes).link(),
            _ => format!("tcp://127.0.0.1:{port}"),
        };
        let args = ["--live", "--hold", "--progress", "none", "--stop", policy, "host:web", &link];
        let started = Instant::now();
        let save = Running::start(self.here().command("xc-save").args(args));
        trouble.strike(self.here(), &save, &restore);
        let saved = save.finish();
        if !restore.ends_within(STILL_LISTENING) && self.there().processes().is_empty() {
            // The source was killed before it had connected.
            restore.signal("TERM");
        }
        let ended = (saved, restore.finish());
        if matches!(trouble, Trouble::None) {
            self.usual = started.elapsed();
        }
        ended
    }

    /// The guest is at rest on both sides: they must be equal. The target goes on.
    fn compare_and_go_on(&mut self) {
        let (here, there) = (self.here(), self.there());
        assert_eq!(here.hash("web--migratedaway"), there.hash("web"), "pages differ");
        let writes = |world: &World, name| world.info(name).map(|info| info.number("writes"));
        assert_eq!(writes(here, "web--migratedaway"), writes(there, "web"), "the vCPUs differ");
        here.run("xc-guest", ["stop", "web--migratedaway"]).expect(0);
        there.run("xc-guest", ["resume", "web"]).expect(0);
        here.await_empty();
        self.at = 1 - self.at;
    }

    /// Exactly one side has the guest, or the last line of a command says how to get there.
    fn settle(&mut self, ended: &(Finished, Finished)) {
        if self.here().info("web--migratedaway").is_none() {
            self.here().await_status("web", "running");
            self.there().await_empty();
        } else if self.there().info("web").is_some() {
            assert!(self.here().info("web").is_none(), "it runs on both sides: {ended:#?}");
            self.compare_and_go_on();
        } else {
            self.there().await_empty();
            self.here().run("xc-guest", ["resume", "web--migratedaway"]).expect(0);
        }
    }

    /// It runs where we believe, its vCPUs go on, and nobody tracks it.
    fn assert_alive(&self) {
        let before = self.here().await_status("web", "running");
        while self.here().await_status("web", "running").number("writes") <= before.number("writes") {}
        while self.here().await_status("web", "running").is_tracked() {}
        assert_eq!(self.here().processes().len(), 1);
        assert!(self.there().processes().is_empty());
    }
}

#[test]
fn undisturbed() {
    let count = soak().unwrap_or(DEFAULT);
    let mut journey = Journey::new(1);
    for _ in 0..count {
        let (saved, restored) = journey.migrate(&Trouble::None);
        saved.expect(0);
        restored.expect(0);
        journey.compare_and_go_on();
        journey.assert_alive();
    }
    println!("{count} migrations, 0 pages differ, 0 guests lost, 0 ran twice");
}

#[test]
fn disturbed() {
    let count = soak().map_or(DEFAULT, |count| count / DISTURBED);
    let mut journey = Journey::new(2);
    let mut moved = 0;
    for _ in 0..count {
        let before = journey.at;
        let trouble = Trouble::draw(&mut journey.random, journey.usual);
        let ended = journey.migrate(&trouble);
        journey.settle(&ended);
        journey.assert_alive();
        moved += u64::from(journey.at != before);
    }
    println!("{count} disturbed migrations, {moved} arrived, 0 pages differ, 0 guests lost, 0 ran twice");
}
