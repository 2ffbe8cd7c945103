//! `xc-migrate` with a side or its transport killed at random moments: afterwards exactly one side has the guest, or
//! the last line says how to get there.
//!
//! `XC_SOAK=1000` makes it 200 random moments; without it 12.

#[path = "../soak/random.rs"]
mod random;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use random::Random;
use tests::{Finished, Running, World};

use crate::receiver::{noted, process, receiver};

/// Moments when nobody says how many.
const DEFAULT: u64 = 12;
/// One of so many migrations of a soak is disturbed here.
const DISTURBED: u64 = 5;
/// What is killed.
const VICTIMS: [&str; 4] = ["save", "receive", "there", "back"];

fn moments() -> u64 {
    let soak = env::var("XC_SOAK").ok().map(|count| count.parse::<u64>().expect("XC_SOAK is a number"));
    soak.map_or(DEFAULT, |count| count / DISTURBED)
}

/// Two hosts, and the guest on one of them.
struct Journey {
    hosts: [World; 2],
    at: usize,
    count: u64,
}

impl Journey {
    fn here(&self) -> &World {
        &self.hosts[self.at]
    }

    fn there(&self) -> &World {
        &self.hosts[1 - self.at]
    }

    /// The receiver between two `cat`, each of which can be killed as an ssh could.
    fn transport(&self) -> (String, [PathBuf; 3]) {
        let file = |name: &str| self.there().path(&format!("{name}-{}", self.count));
        let files = [file("there"), file("receive"), file("back")];
        let parts = ["exec cat <&3 3<&-", "exec cat"].map(str::to_owned);
        let [there, back] = &parts;
        let receive = receiver(self.there(), "-p 3<&-");
        let [there, receive, back] =
            [(there, 0), (&receive, 1), (back, 2)].map(|(part, index)| noted(part, &files[index]));
        // The shell itself holds no end of a pipe, so that who waits for a dead process hears of it.
        let command = format!("exec 3<&0; {there} | {receive} | {back} 3<&- & exec 0<&- 1>&- 3<&-; wait");
        (command, files)
    }

    fn migrate(&mut self, victim: &str, wait: Duration) -> Finished {
        self.count += 1;
        let (command, [there, receive, back]) = self.transport();
        let args = ["--hold", "--progress", "none", "-s", "", "host:web", &command];
        let save = Running::start(self.here().command("xc-migrate").args(args));
        let pid = match victim {
            "save" => Some(save.pid()),
            "receive" => process(&receive),
            "there" => process(&there),
            "back" => process(&back),
            _ => return save.finish(),
        };
        thread::sleep(wait);
        if let Some(pid) = pid {
            // It may have ended meanwhile.
            let _ = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).output();
        }
        save.finish()
    }

    /// Exactly one side has the guest, or the last line says how to get there.
    fn settle(&mut self, ended: &Finished) {
        if self.here().info("web--migratedaway").is_none() {
            self.here().await_status("web", "running");
            self.there().await_empty();
            return;
        }
        if ended.code().is_some_and(|code| code != 0) {
            assert!(ended.last_line().contains("xc-guest resume web--migratedaway"), "{ended:#?}");
        }
        if self.arrived() {
            assert_eq!(self.here().hash("web--migratedaway"), self.there().hash("web"), "pages differ");
            self.here().run("xc-guest", ["stop", "web--migratedaway"]).expect(0);
            self.there().run("xc-guest", ["resume", "web"]).expect(0);
            self.here().await_empty();
            self.at = 1 - self.at;
        } else {
            self.here().run("xc-guest", ["resume", "web--migratedaway"]).expect(0);
        }
    }

    /// Whether the target has the guest, once its receiver has made up its mind.
    fn arrived(&self) -> bool {
        while !self.there().processes().is_empty() {
            if self.there().info("web").is_some() {
                return true;
            }
        }
        false
    }

    fn assert_alive(&self) {
        let before = self.here().await_status("web", "running").number("writes");
        while self.here().await_status("web", "running").number("writes") <= before {}
        while self.here().await_status("web", "running").is_tracked() {}
        assert_eq!(self.here().processes().len(), 1);
        assert!(self.there().processes().is_empty());
    }
}

#[test]
fn whatever_is_killed_exactly_one_side_has_the_guest() {
    let mut random = Random::new(3);
    let mut journey = Journey { hosts: [World::new(), World::new()], at: 0, count: 0 };
    journey.here().start_guest("web", "32M", "pagemod:rate=20000");
    let started = Instant::now();
    let ended = journey.migrate("nobody", Duration::from_secs(1));
    journey.settle(&ended);
    let usual = started.elapsed().min(Duration::from_millis(400));
    for _ in 0..moments() {
        let victim = *random.of::<&str>(&VICTIMS);
        let wait = Duration::from_micros(random.below(u64::try_from(usual.as_micros()).unwrap()));
        let ended = journey.migrate(victim, wait);
        journey.settle(&ended);
        journey.assert_alive();
    }
}
