//! Signals, sent by the kernel to processes of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, id};
use std::time::{Duration, Instant};

use engine::Abort;
use ffi::signals::abort_on_signals;

const CHILD: &str = "XC_TEST_SIGNALS";

/// Not a test of its own: what the child processes run. Sends itself the signals named in the environment and
/// expects the reason named behind them.
#[test]
fn child() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let (signals, expected) = orders.split_once('=').unwrap();
    let abort = Abort::new();
    abort_on_signals(&abort).unwrap();
    assert_eq!(abort.reason(), None);
    for signal in signals.split(' ') {
        let kill = Command::new("kill").args(["-s", signal, &id().to_string()]).status().unwrap();
        assert!(kill.success());
        // One after the other: signals that are pending together have no order.
        std::thread::sleep(Duration::from_millis(100));
    }
    let begin = Instant::now();
    while abort.reason().is_none() && begin.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(abort.reason(), Some(expected));
}

fn run(prepare: &str, orders: &str) {
    let exe = std::env::current_exe().unwrap();
    let script = format!("{prepare} exec \"$0\" --exact child");
    // Whoever runs the tests may ignore signals (`nohup`, a shell's `&`).
    let output = Command::new("env")
        .args(["--default-signal=INT,TERM,HUP", "sh", "-c", &script])
        .arg(exe)
        .env(CHILD, orders)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{} {text}", output.status);
}

#[test]
fn each_signal_is_the_reason() {
    run("", "INT=SIGINT");
    run("", "TERM=SIGTERM");
    run("", "HUP=SIGHUP");
}

#[test]
fn a_second_signal_changes_nothing() {
    run("", "TERM INT INT HUP=SIGTERM");
}

#[test]
fn an_ignored_signal_stays_ignored() {
    run("trap '' HUP;", "HUP TERM=SIGTERM");
}
