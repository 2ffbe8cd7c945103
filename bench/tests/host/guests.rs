//! Guests for tests, which leave nothing behind.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use ffi::host::protocol::{Request, Status};
use ffi::host::{GuestConfig, Host};

/// 128 MiB.
pub(crate) const PAGES: u64 = 32_768;
/// How long something that must happen may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tells a test that it is started by another test, and what it shall do.
const ORDER: &str = "XC_TEST_ORDER";

/// A directory of guests of one test's own.
pub(crate) struct World {
    pub(crate) host: Host,
    dir: PathBuf,
}

impl World {
    pub(crate) fn new(test: &str) -> Self {
        let dir = env::temp_dir().join(format!("xc-{test}-{}", std::process::id()));
        Self { host: Host::new(&dir, env!("CARGO_BIN_EXE_xc-guest")), dir }
    }

    /// Runs a guest.
    pub(crate) fn run(&self, config: &GuestConfig) {
        self.host.run(config, false).unwrap();
    }

    pub(crate) fn status(&self, name: &str) -> Status {
        self.host.info(name).unwrap().status
    }

    /// Runs the test `helper` in a process of its own, in this world, and waits until it has said that it is ready.
    pub(crate) fn spawn_helper(&self, helper: &str) -> Child {
        let ready = self.dir.join("helper-ready");
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", helper, "--nocapture"])
            .env(ORDER, &self.dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("the helper is ready", || ready.exists());
        fs::remove_file(ready).unwrap();
        child
    }

    /// The world that this process shall act in, if it is a helper.
    pub(crate) fn of_helper() -> Option<Host> {
        let dir = env::var_os(ORDER)?;
        Some(Host::new(PathBuf::from(dir), env!("CARGO_BIN_EXE_xc-guest")))
    }
}

/// A helper has done its part and waits to be killed.
pub(crate) fn ready_to_die(host: &Host) -> ! {
    fs::write(host.dir().join("helper-ready"), "").unwrap();
    loop {
        std::thread::park();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A guest is busy until it has noticed that the test let go of it.
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let names = self.host.list().unwrap_or_default();
            if names.is_empty() {
                break;
            }
            names.iter().for_each(|name| drop(self.host.order(name, &Request::Stop)));
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A guest of [`PAGES`] pages with two vCPUs.
pub(crate) fn config(name: &str, workload: &str) -> GuestConfig {
    GuestConfig {
        name: name.into(),
        pages: PAGES,
        vcpus: 2,
        workload: workload.into(),
        fill: "mixed".into(),
        seed: 1,
    }
}

/// Waits until something has happened.
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
