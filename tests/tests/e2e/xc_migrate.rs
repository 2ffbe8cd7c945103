//! `xc-migrate` and `xc-migrate-receive`: the ways of `xl migrate`, and the commands around them.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Finished, Running, World, assert_fits};

use crate::receiver::receiver;

const BUSY: &str = "pagemod:rate=20000";
/// Slow enough that a 32 MiB guest takes seconds.
const SLOW: [&str; 2] = ["--bandwidth", "fixed:rate=50M"];
/// How soon a command must have heard.
const SOON: Duration = Duration::from_secs(1);

fn migrate(here: &World, there: &World, args: &[&str]) -> Finished {
    let command = receiver(there, "");
    here.run("xc-migrate", args.iter().copied().chain(["-s", "", "host:web", &command]))
}

fn start_slow(here: &World, there: &World) -> Running {
    let command = receiver(there, "");
    let running =
        Running::start(here.command("xc-migrate").args(SLOW).args(["-s", "", "host:web", &command]));
    while !here.info("web").unwrap().is_tracked() {}
    running
}

fn assert_as_before(here: &World, there: &World) {
    while here.await_status("web", "running").is_tracked() {}
    there.await_empty();
    assert_eq!(here.processes().len(), 1);
}

#[test]
fn a_command_carries_a_migration() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", BUSY);
    let moved = migrate(&here, &there, &["--debug"]).expect(0);
    assert!(moved.last_line().starts_with("host:web runs on the target"), "{moved:#?}");
    assert!(moved.stderr.contains("migration target: host:web runs here"), "{moved:#?}");
    there.await_status("web", "running");
    here.await_empty();
}

#[test]
fn what_arrives_is_what_left() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", BUSY);
    let command = receiver(&there, "-p -e --as host:web2");
    here.run("xc-migrate", ["-e", "-p", "-D", "--hold", "-s", "", "host:web", &command]).expect(0);
    assert_eq!(here.hash("web--migratedaway"), there.hash("web2"));
    assert_eq!(there.await_status("web2", "paused").number("migrations"), 1);
}

#[test]
fn ssh_is_asked_for_the_receiver_with_the_letters_of_xl() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", "idle");
    // In the place of ssh: notes its words, and runs the receiver.
    let (ssh, words) = (there.path("ssh"), there.path("words"));
    let script = format!("#!/bin/sh\necho \"$@\" > '{}'\n{} -p\n", words.display(), receiver(&there, ""));
    fs::write(&ssh, script).unwrap();
    let ssh = format!("sh {}", ssh.display());
    let moved = here.run("xc-migrate", ["-s", &ssh, "-e", "-p", "host:web", "root@b"]).expect(0);
    assert_eq!(moved.last_line(), "host:web is paused on the target root@b");
    assert_eq!(fs::read_to_string(words).unwrap(), "root@b xc-migrate-receive -e -p\n");
    there.await_status("web", "paused");
}

#[test]
fn a_tcp_link_carries_a_migration() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (restore, port) = there.listen(&[]);
    let link = format!("tcp://127.0.0.1:{port}");
    let paused = here.run("xc-migrate", ["-p", "host:web", &link]).expect(2);
    assert!(paused.stderr.contains("xc-restore"), "{paused:#?}");
    here.run("xc-migrate", ["host:web", &link]).expect(0);
    restore.finish().expect(0);
    there.await_status("web", "running");
}

#[test]
fn a_receiver_that_does_not_start_is_a_plain_failure() {
    let here = World::new();
    here.start_guest("web", "16M", BUSY);
    let moved = here.run("xc-migrate", ["-s", "", "host:web", "exit 42"]).expect(1);
    assert!(moved.stderr.contains("the command ended: exit status: 42"), "{moved:#?}");
    assert_eq!(moved.last_line(), "host:web runs on here as before");
    let moved = here.run(
        "xc-migrate",
        ["-s", "", "host:web", "echo hello, this is the long banner of a login shell that talks"],
    );
    assert!(moved.expect(1).stderr.contains("hello"));
    here.await_status("web", "running");
}

#[test]
fn another_configuration_goes_along_if_it_fits() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (file, image) = (here.path("web.json"), here.path("web.img"));
    let (file, image) = (file.to_str().unwrap(), image.to_str().unwrap());
    here.run("xc-save", ["-c", "host:web", image]).expect(0);
    here.run("xc-image", ["extract", image, "--config", file]).expect(0);
    let own = fs::read_to_string(file).unwrap();
    let renamed = own.replace("\"web\"", "\"web3\"");
    assert_ne!(own, renamed);
    fs::write(file, own.replace("4096", "2048")).unwrap();
    assert!(migrate(&here, &there, &["-C", file]).expect(1).stderr.contains("the guest has 4096 and 1"));
    fs::write(file, renamed).unwrap();
    migrate(&here, &there, &["-C", file]).expect(0);
    there.await_status("web3", "running");
    // The same for files, on both sides.
    there.run("xc-save", ["host:web3", image]).expect(0);
    fs::write(file, own).unwrap();
    there.run("xc-restore", [file, image]).expect(0);
    there.await_status("web", "running");
    there.run("xc-save", ["-p", "host:web", image, file]).expect(0);
    there.await_status("web", "paused");
}

#[test]
fn a_migration_can_be_asked_and_cancelled() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let running = start_slow(&here, &there);
    // A rate needs a moment to be one.
    let status = loop {
        let status = here.run("xc-migrate", ["status", "host:web"]).expect(0).stdout;
        if status.contains("MiB/s") {
            break status;
        }
    };
    assert!(status.contains("round 1"), "{status}");
    let status: Value =
        serde_json::from_str(&here.run("xc-migrate", ["status", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(status[0]["id"], "host:web");
    assert_eq!(status[0]["phase"], "round");
    let asked = Instant::now();
    let cancel = here.run("xc-migrate", ["cancel", "host:web"]).expect(0);
    assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    assert_eq!(cancel.last_line(), "host:web runs on here as before");
    assert_eq!(running.finish().expect(3).last_line(), "host:web runs on here as before");
    assert_as_before(&here, &there);
    assert_eq!(here.run("xc-migrate", ["status"]).expect(0).stdout, "no migration runs here\n");
    let nobody = here.run("xc-migrate", ["cancel", "host:web"]).expect(1);
    assert!(nobody.stderr.contains("no migration of host:web"), "{nobody:#?}");
}

#[test]
fn limits_end_a_migration_that_does_not_converge() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", "pagemod:rate=60000");
    let started = Instant::now();
    let late = migrate(&here, &there, &["--timeout", "500ms", "--bandwidth", "fixed:rate=50M"]).expect(3);
    assert!(started.elapsed() < SOON + Duration::from_millis(500), "it took {:?}", started.elapsed());
    assert!(late.stderr.contains("the live copy took longer than 500"), "{late:#?}");
    assert_as_before(&here, &there);
    let limits = ["--max-downtime", "1ms", "--stop", "fni:n=2", "--bandwidth", "fixed:rate=400M"];
    let long = migrate(&here, &there, &limits).expect(3);
    assert!(long.stderr.contains("the guest would stand still for"), "{long:#?}");
    assert_as_before(&here, &there);
    let stop = [&limits[..], &["--timeout-action", "stop"]].concat();
    migrate(&here, &there, &stop).expect(0);
    there.await_status("web", "running");
    here.await_empty();
}

#[test]
fn an_interrupt_leaves_the_guest_here() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let running = start_slow(&here, &there);
    running.signal("INT");
    let moved = running.finish().expect(130);
    assert_eq!(moved.last_line(), "host:web runs on here as before");
    assert_as_before(&here, &there);
}

#[test]
fn a_link_that_fails_after_the_hand_over_is_undecided() {
    let here = World::new();
    here.start_guest("web", "16M", BUSY);
    // A receiver that says that it has the guest, and then nothing more.
    let silent = r"printf 'xl migration receiver ready, send binary domain data.\n';
        printf 'domain received, ready to unpause\0'; exec 1>&-; cat >/dev/null";
    let moved = here.run("xc-migrate", ["-s", "", "host:web", silent]).expect(4);
    let line = moved.last_line();
    assert!(
        line.contains("`xc-guest resume web--migratedaway`") && line.contains("`xc-guest stop"),
        "{line}"
    );
    here.await_status("web--migratedaway", "given-away");
    here.run("xc-guest", ["resume", "web--migratedaway"]).expect(0);
    here.await_status("web", "running");
}

#[test]
fn a_copy_that_cannot_be_ended_is_left_over() {
    let here = World::new();
    here.start_guest("web", "16M", BUSY);
    let pid = here.info("web").unwrap().number("pid");
    // A receiver that runs the guest; meanwhile the copy dies before it can be told to end.
    let given_away = here.path("guests").join("web--migratedaway.sock");
    let script = format!(
        r"printf 'xl migration receiver ready, send binary domain data.\n';
        printf 'domain received, ready to unpause\0';
        (until [ -e '{}' ]; do sleep 0.01; done; kill -KILL {pid}; sleep 0.2;
        printf 'my copy unpause results are as follows\0\0') & cat >/dev/null",
        given_away.display()
    );
    let moved = here.run("xc-migrate", ["-s", "", "host:web", &script]).expect(5);
    assert!(moved.last_line().contains("`xc-guest list`"), "{moved:#?}");
}

#[test]
fn statistics_fit_their_schema_however_it_ends() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let (file, received) = (here.path("stats"), there.path("stats"));
    let stats = || serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap();
    let command =
        |last: &str| here.run("xc-migrate", ["--stats", file.to_str().unwrap(), "-s", "", "host:web", last]);
    command("exit 1").expect(1);
    assert_fits("docs/stats.schema.json", &stats());
    assert_eq!((&stats()["exit"], &stats()["save"]), (&Value::from(1), &Value::Null));
    command(&receiver(&there, &format!("--stats '{}'", received.display()))).expect(0);
    assert_fits("docs/stats.schema.json", &stats());
    assert!(stats()["downtime"].as_f64().unwrap() > 0.0);
    let received: Value = serde_json::from_slice(&fs::read(received).unwrap()).unwrap();
    assert_fits("docs/stats.schema.json", &received);
    assert_eq!(received["domain"], "host:web");
}

#[test]
fn times_count_from_the_start_of_the_save() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let file = here.path("stats");
    // Much longer than all the rest takes.
    let late = format!("sleep 5; {}", receiver(&there, ""));
    here.run("xc-migrate", ["--stats", file.to_str().unwrap(), "-s", "", "host:web", &late]).expect(0);
    let stats: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let [running, downtime] = ["running", "downtime"].map(|name| stats[name].as_f64().unwrap());
    assert!(downtime < running && running < 5.0, "{stats:#}");
}

#[test]
fn progress_and_metrics_are_for_programs_too() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let metrics = here.path("web.prom");
    let args = ["--progress", "json", "--metrics", metrics.to_str().unwrap(), "--stop", "fni:n=3"];
    let moved = migrate(&here, &there, &args).expect(0);
    let lines: Vec<Value> = moved.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!((events("round"), events("suspended"), events("end")), (3, 1, 1), "{moved:#?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&Value::from("end"), &Value::from(0)));
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("xc_migrate_active{domain=\"host:web\"} 0\n"), "{text}");
    assert!(text.contains("xc_migrate_downtime_seconds{domain=\"host:web\"} 0."), "{text}");
    assert_eq!(
        fs::read_dir(metrics.parent().unwrap())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().ends_with(".part"))
            .count(),
        0
    );
}
