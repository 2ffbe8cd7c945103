//! A guest whose pages go over several connections at once.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::faults::assert_as_before;
use super::migrate::migrate_and_hold;
use serde_json::Value;
use tests::{CutProxy, Finished, Running, World};

const BUSY: &str = "pagemod:rate=20000";

fn link(port: u16) -> String {
    format!("tcp://127.0.0.1:{port}")
}

fn save(here: &World, link: &str, args: &[&str]) -> Running {
    let mut command = here.command("xc-save");
    Running::start(command.args(["--live", "--connections", "3"]).args(args).args(["host:web", link]))
}

/// Migrates `web`: both copies and the digest of what came are the same.
fn assert_all_moves(here: &World, there: &World, args: &[&str]) {
    let args = [&["--live", "--connections", "3"], args].concat();
    let (held, received) = migrate_and_hold(here, there, &args);
    assert_eq!(held, received);
    assert_eq!(held, there.hash("web"));
}

#[test]
fn every_page_moves() {
    let (here, there) = (World::new(), World::new());
    // Not a multiple of what goes by one connection before the next has its turn.
    here.start_guest("web", "62M", BUSY);
    let stats = here.path("stats");
    assert_all_moves(&here, &there, &["--stats", stats.to_str().unwrap()]);
    let stats: Value = serde_json::from_slice(&fs::read(stats).unwrap()).unwrap();
    let (pages, bytes) = (stats["save"]["pages"].as_u64().unwrap(), stats["save"]["bytes"].as_u64().unwrap());
    assert!(bytes > pages * 4096, "{bytes} bytes for {pages} pages: what all connections took counts");
}

#[test]
fn holes_and_a_set_rate_are_kept() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", "zipf:rate=20000");
    here.run("xc-guest", ["balloon", "web", "40M"]).expect(0);
    assert_all_moves(&here, &there, &["--bandwidth", "fixed:rate=2G", "--stop", "fni:n=3"]);
}

#[test]
fn memory_that_was_taken_beforehand_is_written_by_all() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let config = there.path("web.json");
    let text =
        format!(r#"{{"name":"web","pages":8192,"vcpus":1,"workload":"{BUSY}","fill":"random","seed":1}}"#);
    fs::write(&config, text).unwrap();
    let (restore, port) = there.listen_with(&config, &["-p", "--digest"]);
    save(&here, &link(port), &["--hold"]).finish().expect(0);
    assert_eq!(here.hash("web--migratedaway"), restore.finish().expect(0).stdout.trim());
}

#[test]
fn debug_compares_the_pages_of_every_connection() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&["--stats", there.path("stats").to_str().unwrap()]);
    save(&here, &link(port), &["--debug"]).finish().expect(0);
    restore.finish().expect(0);
    let stats: Value = serde_json::from_slice(&fs::read(there.path("stats")).unwrap()).unwrap();
    assert_eq!(stats["restore"]["compared"], 4096);
}

#[test]
fn either_side_may_die() {
    for (source, signal) in [(true, "INT"), (true, "KILL"), (false, "TERM"), (false, "KILL")] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "32M", BUSY);
        let (restore, port) = there.listen(&[]);
        let save = save(&here, &link(port), &["--bandwidth", "fixed:rate=50M"]);
        while !here.info("web").unwrap().is_tracked() {}
        if source {
            save.signal(signal)
        } else {
            restore.signal(signal)
        }
        let (saved, restored) = (save.finish(), restore.finish());
        let other = if source { &restored } else { &saved };
        assert_eq!(other.code(), Some(1), "{other:#?}");
        assert_as_before(&here, &there);
    }
}

#[test]
fn a_connection_that_breaks_leaves_the_guest_with_the_source() {
    for (which, bytes) in [(0, 1 << 20), (1, 1 << 20), (2, 10), (2, 60)] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "32M", BUSY);
        let (restore, port) = there.listen(&[]);
        let saved =
            save(&here, &CutProxy::cuts(port, which, bytes).link(), &["--bandwidth", "fixed:rate=200M"])
                .finish()
                .expect(1);
        assert_eq!(saved.last_line(), "host:web runs on here as before");
        let restored = restore.finish().expect(1);
        assert!(restored.last_line().starts_with("nothing of the guest is left here"), "{restored:#?}");
        assert_as_before(&here, &there);
    }
}

#[test]
fn strangers_who_connect_meanwhile_are_sent_away() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&["-p", "--digest"]);
    // Between the source's first connection, which a proxy holds up, and its others.
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = door.local_addr().unwrap().port();
    let proxy = thread::spawn(move || {
        let mut strangers = Vec::new();
        for number in 0..3 {
            let (source, _) = door.accept().unwrap();
            let target = TcpStream::connect(("127.0.0.1", port)).unwrap();
            if number == 0 {
                let mut loud = TcpStream::connect(("127.0.0.1", port)).unwrap();
                loud.write_all(&[7; 64]).unwrap();
                strangers = vec![loud, TcpStream::connect(("127.0.0.1", port)).unwrap()];
            }
            let (mut back, mut to) = (target.try_clone().unwrap(), source.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut back, &mut to));
            thread::spawn(move || {
                let _ = io::copy(&mut &source, &mut &target);
                let _ = target.shutdown(Shutdown::Write);
            });
        }
        strangers
    });
    save(&here, &link(own), &["--hold"]).finish().expect(0);
    assert_eq!(here.hash("web--migratedaway"), restore.finish().expect(0).stdout.trim());
    for mut stranger in proxy.join().unwrap() {
        stranger.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let end = stranger.read(&mut [0]);
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    }
}

/// What a target says that gets these bytes, over a first connection, and then none of the others.
fn refused(there: &World, port: u16, restore: Running, bytes: &[u8]) -> Finished {
    let mut source = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // It may hang up before it has read all.
    let _ = source.write_all(bytes);
    let restored = restore.finish().expect(1);
    assert!(restored.last_line().starts_with("nothing of the guest is left here"), "{restored:#?}");
    there.await_empty();
    restored
}

/// A way to the target for one connection, the first.
fn way_for_one(target: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (source, _) = listener.accept().unwrap();
        drop(listener);
        let target = TcpStream::connect(("127.0.0.1", target)).unwrap();
        let (mut back, mut to) = (target.try_clone().unwrap(), source.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut back, &mut to));
        let _ = io::copy(&mut &source, &mut &target);
        let _ = target.shutdown(Shutdown::Write);
    });
    link(own)
}

/// Over how many connections the pages of `web` went when nothing was said of them.
fn unasked(here: &World, there: &World, restore: Running, link: &str) -> Value {
    let stats = here.path("stats");
    let args = ["--live", "--hold", "--stats", stats.to_str().unwrap(), "host:web", link];
    here.run("xc-save", args).expect(0);
    assert_eq!(here.hash("web--migratedaway"), restore.finish().expect(0).stdout.trim());
    there.await_status("web", "paused");
    serde_json::from_slice::<Value>(&fs::read(stats).unwrap()).unwrap()["save"]["links"].clone()
}

#[test]
fn unless_it_is_said_there_are_two_where_there_are_processors() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&["-p", "--digest"]);
    let several = thread::available_parallelism().unwrap().get() > 1;
    assert_eq!(unasked(&here, &there, restore, &link(port)), if several { 2 } else { 1 });
}

#[test]
fn a_way_for_one_connection_has_one_unless_more_are_demanded() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&[]);
    let saved = save(&here, &way_for_one(port), &[]).finish().expect(1);
    assert!(saved.stderr.contains("cannot open more connections to the target"), "{saved:#?}");
    assert_eq!(saved.last_line(), "host:web runs on here as before");
    restore.finish().expect(1);
    assert_as_before(&here, &there);

    let (restore, port) = there.listen(&["-p", "--digest"]);
    assert_eq!(unasked(&here, &there, restore, &way_for_one(port)), 1);
}

#[test]
fn connections_that_do_not_come_are_not_waited_for_for_ever() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "4M", BUSY);
    let file = here.path("web.img");
    here.run("xc-save", ["-c", "host:web", file.to_str().unwrap()]).expect(0);
    let mut bytes = fs::read(&file).unwrap();
    let context = 16 + bytes.windows(8).position(|window| window == b"LibxlFmt").unwrap();
    let lanes = |count: u8| [b"lane\x14\0\0\0", &[count, 0, 0, 0][..], &[7; 16], &[0; 4]].concat();
    let with = |count| [&bytes[..context], &lanes(count), &bytes[context..]].concat();
    let (restore, port) = there.listen(&[]);
    let said = refused(&there, port, restore, &with(2));
    assert!(said.stderr.contains("cannot take the source's other connections"), "{said:#?}");
    let (restore, port) = there.listen(&[]);
    let said = refused(&there, port, restore, &with(17));
    assert!(said.stderr.contains("17 connections, 2 to 16 expected"), "{said:#?}");
    bytes = with(2);
    fs::write(&file, bytes).unwrap();
    let said = there.run("xc-restore", [&file]).expect(1);
    assert!(said.stderr.contains("there is nowhere that they could come to"), "{said:#?}");
}

#[test]
fn where_there_can_be_one_only_there_is_one() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let file = here.path("web.img");
    here.run("xc-save", ["--connections", "3", "host:web", file.to_str().unwrap()]).expect(0);
    there.run("xc-restore", [&file]).expect(0);
    there.await_status("web", "running");
    let said = here.run("xc-save", ["--connections", "17", "host:web", "-"]).expect(2);
    assert!(said.stderr.contains("not auto or a number from 1 to 16"), "{said:#?}");
}
