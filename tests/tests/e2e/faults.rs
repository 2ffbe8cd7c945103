//! What breaks in the middle: at every moment exactly one side may run the guest.

use std::fs;
use std::time::Instant;

use tests::{CutProxy, Running, World};

const BUSY: &str = "pagemod:rate=20000";
/// Slow enough that a 32 MiB guest takes seconds.
const SLOW: [&str; 3] = ["--live", "--bandwidth", "fixed:rate=50M"];

fn start_save(here: &World, link: &str, args: &[&str]) -> Running {
    Running::start(here.command("xc-save").args(args).args(["host:web", link]))
}

/// The source runs as if nothing had been, and nothing is left of the target.
pub(super) fn assert_as_before(here: &World, there: &World) {
    let before = here.await_status("web", "running");
    while here.await_status("web", "running").is_tracked() {}
    while here.await_status("web", "running").number("writes") <= before.number("writes") {}
    there.await_empty();
    assert_eq!(here.processes().len(), 1);
}

fn assert_can_still_move(here: &World, there: &World) {
    let (restore, port) = there.listen(&[]);
    start_save(here, &format!("tcp://127.0.0.1:{port}"), &["--live"]).finish().expect(0);
    restore.finish().expect(0);
    there.await_status("web", "running");
    here.await_empty();
}

#[test]
fn a_signal_to_the_source_leaves_the_guest_there() {
    for signal in ["INT", "KILL"] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "32M", BUSY);
        let (restore, port) = there.listen(&[]);
        let save = start_save(&here, &format!("tcp://127.0.0.1:{port}"), &SLOW);
        while !here.info("web").unwrap().is_tracked() {}
        save.signal(signal);
        let saved = save.finish();
        if signal == "INT" {
            assert_eq!(saved.expect(130).last_line(), "host:web runs on here as before");
        }
        let restored = restore.finish().expect(1);
        assert!(restored.last_line().starts_with("nothing of the guest is left here"), "{restored:#?}");
        assert_as_before(&here, &there);
        assert_can_still_move(&here, &there);
    }
}

#[test]
fn a_signal_to_the_target_leaves_the_guest_with_the_source() {
    for signal in ["TERM", "KILL"] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "32M", BUSY);
        let (restore, port) = there.listen(&[]);
        let save = start_save(&here, &format!("tcp://127.0.0.1:{port}"), &SLOW);
        while !here.info("web").unwrap().is_tracked() {}
        restore.signal(signal);
        let restored = restore.finish();
        if signal == "TERM" {
            restored.expect(130);
        }
        let saved = save.finish().expect(1);
        assert_eq!(saved.last_line(), "host:web runs on here as before");
        assert_as_before(&here, &there);
        assert_can_still_move(&here, &there);
    }
}

#[test]
fn a_cut_link_leaves_the_guest_with_the_source() {
    // Half of the guest's pages go over the connection that is cut.
    for bytes in [0, 30, 500, 1 << 20, 12 << 20] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "32M", BUSY);
        let (restore, port) = there.listen(&[]);
        let proxy = CutProxy::to(port, bytes);
        let saved = start_save(&here, &proxy.link(), &["--live"]).finish().expect(1);
        assert_eq!(saved.last_line(), "host:web runs on here as before");
        restore.finish().expect(1);
        assert_as_before(&here, &there);
    }
}

#[test]
fn a_name_that_is_taken_on_the_target_gives_the_guest_back() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    there.start_guest("web", "16M", "idle");
    let (restore, port) = there.listen(&[]);
    let saved = start_save(&here, &format!("tcp://127.0.0.1:{port}"), &["--live"]).finish().expect(1);
    assert_eq!(saved.last_line(), "host:web runs on here as before", "{saved:#?}");
    restore.finish().expect(1);
    here.await_status("web", "running");
    assert_eq!(there.await_status("web", "running").number("migrations"), 0);
    assert_eq!(there.processes().len(), 1);
}

#[test]
fn nobody_at_the_other_end_is_a_plain_failure() {
    let here = World::new();
    here.start_guest("web", "16M", BUSY);
    let saved = here.run("xc-save", ["--live", "host:web", "tcp://127.0.0.1:1"]).expect(1);
    assert!(saved.stderr.contains("Connection refused"), "{saved:#?}");
    assert_eq!(here.await_status("web", "running").number("migrations"), 0);
}

#[test]
fn only_one_may_move_a_guest_at_a_time() {
    let here = World::new();
    here.start_guest("web", "32M", BUSY);
    let first = start_save(&here, here.path("first").to_str().unwrap(), &SLOW);
    while !here.info("web").unwrap().is_tracked() {}
    let second = here.run("xc-save", ["host:web", here.path("second").to_str().unwrap()]).expect(1);
    assert!(second.stderr.contains("web"), "{second:#?}");
    assert!(fs::metadata(here.path("second")).is_err());
    first.signal("INT");
    first.finish().expect(130);
    here.await_status("web", "running");
}

#[test]
fn an_abort_is_heard_at_once_while_the_link_is_stuck() {
    let here = World::new();
    here.start_guest("web", "64M", BUSY);
    // A listener that greets and then never reads.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let save = start_save(&here, &format!("tcp://127.0.0.1:{port}"), &["--live"]);
    let (mut stuck, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut stuck, b"xl migration receiver ready, send binary domain data.\n")
        .unwrap();
    while !here.info("web").unwrap().is_tracked() {}
    let asked = Instant::now();
    save.signal("INT");
    save.finish().expect(130);
    assert!(asked.elapsed().as_secs() < 10, "it took {:?}", asked.elapsed());
    assert!(!here.await_status("web", "running").is_tracked());
}
