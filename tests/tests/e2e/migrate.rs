//! Migrations between two hosts of this machine.

use std::fs;

use serde_json::Value;
use tests::{Running, World};

const BUSY: &str = "pagemod:rate=20000";

/// Migrates `web` and keeps the source's copy and the target at rest, to be compared.
pub(super) fn migrate_and_hold(here: &World, there: &World, save: &[&str]) -> (String, String) {
    let (restore, port) = there.listen(&["-p", "--digest"]);
    let link = format!("tcp://127.0.0.1:{port}");
    let args = ["--hold", "host:web", &link].into_iter().chain(save.iter().copied());
    let saved = here.run("xc-save", args);
    let restored = restore.finish();
    let saved = saved.expect(0);
    let restored = restored.expect(0);
    assert!(saved.last_line().starts_with("host:web runs on the target"), "{saved:#?}");
    assert!(restored.last_line().starts_with("host:web is paused here"), "{restored:#?}");
    (here.hash("web--migratedaway"), restored.stdout.trim().to_owned())
}

#[test]
fn a_live_migration_moves_every_page_and_the_workload_goes_on() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", BUSY);
    let (held, received) = migrate_and_hold(&here, &there, &["--live"]);
    assert_eq!(held, received);
    assert_eq!(held, there.hash("web"));
    let (source, target) = (here.info("web--migratedaway").unwrap(), there.info("web").unwrap());
    assert_eq!(source.status(), "given-away");
    assert_eq!(target.status(), "paused");
    assert_eq!(source.number("writes"), target.number("writes"));
    there.run("xc-guest", ["resume", "web"]).expect(0);
    while there.await_status("web", "running").number("writes") <= target.number("writes") {}
    assert_eq!(target.number("migrations"), 1);
}

#[test]
fn a_migration_without_live_moves_every_page() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let (held, received) = migrate_and_hold(&here, &there, &[]);
    assert_eq!(held, received);
}

#[test]
fn a_guest_that_is_mapped_by_batch_moves_every_page() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", BUSY);
    // Holes among the pages of a batch, and batches that do not begin at page 0.
    here.run("xc-guest", ["balloon", "web", "40M"]).expect(0);
    let (held, received) = migrate_and_hold(&here, &there, &["--live", "--map", "batch"]);
    assert_eq!(held, received);
}

#[test]
fn every_stop_policy_and_a_set_rate_move_every_page() {
    for policy in ["xen", "classic", "psc", "fni:n=2"] {
        let (here, there) = (World::new(), World::new());
        here.start_guest("web", "16M", "zipf:rate=20000");
        let args = ["--live", "--stop", policy, "--bandwidth", "fixed:rate=2G"];
        let (held, received) = migrate_and_hold(&here, &there, &args);
        assert_eq!(held, received, "{policy}");
    }
}

#[test]
fn a_guest_that_balloons_while_it_moves_is_the_same_after() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", BUSY);
    let (restore, port) = there.listen(&["-p", "--digest"]);
    let link = format!("tcp://127.0.0.1:{port}");
    let args = ["--live", "--hold", "--stop", "fni:n=6", "--bandwidth", "fixed:rate=1G", "host:web", &link];
    let save = Running::start(here.command("xc-save").args(args));
    for size in ["24M", "56M", "8M", "48M", "40M"].iter().cycle().take(10) {
        // The last ones may find it suspended or gone already.
        let _ = here.run("xc-guest", ["balloon", "web", size]);
    }
    let (_, restored) = (save.finish().expect(0), restore.finish().expect(0));
    let target = there.info("web").unwrap();
    assert!(target.number("populated") < target.number("pages"), "{target:?}");
    assert_eq!(here.hash("web--migratedaway"), restored.stdout.trim());
    assert_eq!(here.hash("web--migratedaway"), there.hash("web"));
}

#[test]
fn debug_compares_every_page() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&["--stats", there.path("stats").to_str().unwrap()]);
    here.run("xc-save", ["--live", "--debug", "host:web", &format!("tcp://127.0.0.1:{port}")]).expect(0);
    restore.finish().expect(0);
    let stats: Value = serde_json::from_slice(&fs::read(there.path("stats")).unwrap()).unwrap();
    assert_eq!(stats["restore"]["compared"], 4096);
    there.await_status("web", "running");
    here.await_empty();
}

#[test]
fn a_unix_socket_carries_a_migration() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let link = format!("unix:{}", there.path("door").display());
    let mut command = there.command("xc-restore");
    let restore =
        Running::start_until(command.args([&link, "--as", "host:web2"]), |line| line.contains("listening"));
    here.run("xc-save", ["--live", "host:web", &link]).expect(0);
    restore.finish().expect(0);
    there.await_status("web2", "running");
    here.await_empty();
    assert!(!there.path("door").exists());
}

#[test]
fn a_guest_can_move_on_its_own_host() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let (restore, port) = world.listen(&[]);
    world.run("xc-save", ["--live", "host:web", &format!("tcp://127.0.0.1:{port}")]).expect(0);
    restore.finish().expect(0);
    assert_eq!(world.await_status("web", "running").number("migrations"), 1);
    assert_eq!(world.processes().len(), 1);
}

#[test]
fn the_statistics_add_up() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let (restore, port) = there.listen(&[]);
    let (file, link) = (here.path("stats"), format!("tcp://127.0.0.1:{port}"));
    here.run(
        "xc-save",
        ["--live", "--stop", "fni:n=3", "--stats", file.to_str().unwrap(), "host:web", &link],
    )
    .expect(0);
    restore.finish().expect(0);
    let stats: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let save = &stats["save"];
    let rounds = save["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    let number = |value: &Value| value.as_u64().unwrap();
    for round in rounds {
        assert_eq!(number(&round["planned"]), number(&round["sent"]) + number(&round["skipped"]));
    }
    assert_eq!(number(&rounds[1]["planned"]), number(&rounds[0]["dirty"]));
    let sent: u64 = rounds.iter().map(|round| number(&round["sent"])).sum();
    assert_eq!(number(&save["pages"]), sent + number(&save["last_pages"]));
    assert!(number(&save["bytes"]) > number(&save["pages"]) * 4096);
    let moments = ["decided", "asked", "suspended", "last_harvest", "last_page", "state"]
        .map(|m| save["downtime"][m].as_f64().unwrap());
    assert!(moments.is_sorted(), "{moments:?}");
    assert!(stats["downtime"].as_f64().unwrap() > 0.0);
    let gap = there.await_status("web", "running").number("last_migration_gap_ns");
    assert!(gap as f64 > (moments[5] - moments[2]) * 1e9, "the guest saw {gap} ns, the tool {moments:?} s");
}
