//! Nothing is left, however the harness ends.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::xc_bench;

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The processes that have this in their environment.
fn processes_with(variable: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let has = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|word| word == variable.as_bytes())
    };
    pids.filter(has).collect()
}

fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(LOOK);
    }
}

/// Kills it in the middle of a migration of 32 MiB at 10 Mbit/s, which takes half a minute.
fn leaves_nothing_after(signal: &str) {
    let mark = format!("XC_TEST_MARK={signal}-{}", std::process::id());
    let (name, value) = mark.split_once('=').expect("it has one");
    let mut bench = xc_bench();
    bench.args(["link", "--rate", "10M", "--memory", "32M"]).env(name, value);
    let mut bench = bench.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    // unshare, xc-bench, the guest, xc-restore and its guest, xc-save.
    until("everything runs", || processes_with(&mark).len() >= 6);
    let kill = std::process::Command::new("kill").args(["-s", signal, &bench.id().to_string()]).status();
    assert!(kill.expect("there is kill").success());
    bench.wait().expect("it can be waited for");
    until("all of it is gone", || processes_with(&mark).is_empty());
}

#[test]
fn a_kill_leaves_nothing() {
    leaves_nothing_after("KILL");
}

#[test]
fn the_end_of_the_terminal_leaves_nothing() {
    leaves_nothing_after("HUP");
}
