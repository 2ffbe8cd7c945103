//! A host of guest processes for one test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Finished, Running, binary};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// A host of its own: its guests see no others, and end with it.
#[derive(Debug)]
pub struct World {
    dir: TempDir,
}

/// What `xc-guest info --json` says.
#[derive(Clone, Debug)]
pub struct GuestInfo(Value);

impl GuestInfo {
    /// A number of it.
    ///
    /// # Panics
    /// When there is no such number.
    #[must_use]
    pub fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {}", self.0))
    }

    /// Whether it runs: `running`, `paused`, `suspended`, `given-away` or `incoming`.
    ///
    /// # Panics
    /// When it says nothing.
    #[must_use]
    pub fn status(&self) -> &str {
        self.0["status"].as_str().unwrap_or_else(|| panic!("no status in {}", self.0))
    }

    /// Whether its writes are being tracked.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        !self.0["tracking"].is_null()
    }
}

impl World {
    /// An empty host.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    /// A path for a file of the test's own, outside the directory of the guests.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// One of the commands, to be run on this host. Whoever runs the tests may ignore signals (`nohup`, a shell's
    /// `&`); the command does not.
    #[must_use]
    pub fn command(&self, name: &str) -> Command {
        self.command_under(&[], name)
    }

    /// The same, run by another program: `/usr/bin/time`, for example.
    #[must_use]
    pub fn command_under(&self, runner: &[&str], name: &str) -> Command {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP").args(runner).arg(binary(name));
        command.env("XC_HOST_DIR", self.guests()).env("XC_GUEST", binary("xc-guest"));
        command
    }

    fn guests(&self) -> PathBuf {
        self.path("guests")
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = S>) -> Finished {
        Running::start(self.command(name).args(args)).finish()
    }

    /// Starts a guest.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_guest(&self, name: &str, memory: &str, workload: &str) {
        let args =
            ["run", name, "--memory", memory, "--workload", workload, "--fill", "mixed", "--seed", "7"];
        self.run("xc-guest", args).expect(0);
    }

    /// How a guest is; `None` if there is none of that name.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<GuestInfo> {
        let finished = self.run("xc-guest", ["info", "--json", name]);
        (finished.code() == Some(0)).then(|| {
            GuestInfo(serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:#?}")))
        })
    }

    /// The digest of a guest's memory.
    ///
    /// # Panics
    /// When it cannot be had.
    #[must_use]
    pub fn hash(&self, name: &str) -> String {
        self.run("xc-guest", ["hash", name]).expect(0).stdout.trim().to_owned()
    }

    /// Starts an `xc-restore` that listens on a port of its choice; returns it with that port.
    ///
    /// # Panics
    /// When it does not listen.
    #[must_use]
    pub fn listen(&self, args: &[&str]) -> (Running, u16) {
        Self::listening(self.command("xc-restore").arg("tcp://127.0.0.1:0").args(args))
    }

    /// The same for one that takes the guest's memory first, by the configuration in this file.
    ///
    /// # Panics
    /// When it does not listen.
    #[must_use]
    pub fn listen_with(&self, config: &Path, args: &[&str]) -> (Running, u16) {
        Self::listening(self.command("xc-restore").arg(config).arg("tcp://127.0.0.1:0").args(args))
    }

    fn listening(restore: &mut Command) -> (Running, u16) {
        let running = Running::start_until(restore, |line| line.contains("listening on"));
        let port = running.heard().trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {:?}", running.heard()));
        (running, port)
    }

    /// Waits until there is a guest of this name with this status.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn await_status(&self, name: &str, status: &str) -> GuestInfo {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = self.info(name);
            match info {
                Some(info) if info.status() == status => return info,
                last => assert!(Instant::now() < deadline, "{name} is not {status}: {last:?}"),
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits until no process of a guest is left on this host.
    ///
    /// # Panics
    /// When one stays.
    pub fn await_empty(&self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(pid) = self.processes().first() {
            assert!(Instant::now() < deadline, "process {pid} is left over");
            thread::sleep(LOOK);
        }
    }

    /// The guest processes of this host, named or not.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let ours = format!("XC_HOST_DIR={}", self.guests().display());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| is_guest_of(Path::new(&format!("/proc/{pid}")), ours.as_bytes())).collect()
    }
}

fn is_guest_of(process: &Path, host: &[u8]) -> bool {
    let read = |file| fs::read(process.join(file)).unwrap_or_default();
    let program = read("comm").starts_with(b"xc-guest");
    program && read("environ").split(|&byte| byte == 0).any(|variable| variable == host)
}

impl Drop for World {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
        }
    }
}
