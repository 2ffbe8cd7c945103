//! Recording, learning and predicting: `xc-migrate record`, `learn`, `predict` and `--dry-run`.

use std::fs;

use serde_json::Value;
use tests::{Finished, Running, World, assert_fits};

use crate::receiver::receiver;

/// 5000 pages/s in 16 MiB.
const BUSY: &str = "pagemod:rate=5000";

fn assert_untouched(world: &World) {
    while world.await_status("web", "running").is_tracked() {}
    assert_eq!(world.processes().len(), 1);
}

fn path(world: &World, name: &str) -> String {
    world.path(name).to_str().unwrap().to_owned()
}

fn record(world: &World, time: &str) -> Finished {
    world.run("xc-migrate", ["record", "--for", time, "host:web", &path(world, "web.rec")])
}

fn start_recording(world: &World) -> Running {
    let args = ["record", "--for", "60s", "host:web", &path(world, "web.rec")];
    let running = Running::start(world.command("xc-migrate").args(args));
    while !world.info("web").unwrap().is_tracked() {}
    running
}

fn files(world: &World) -> usize {
    // The guests' directory is one of them.
    fs::read_dir(world.path("")).unwrap().count() - 1
}

#[test]
fn a_recorded_guest_runs_on_and_its_file_predicts() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let recorded = record(&world, "1s").expect(0);
    assert!(recorded.last_line().ends_with("the guest runs on as before"), "{recorded:#?}");
    assert_untouched(&world);
    let file = path(&world, "web.rec");
    let args = ["predict", &file, "--link-rate", "1G", "--stop", "fni:n=2", "--starts", "3"];
    let table = world.run("xc-migrate", args).expect(0).stdout;
    for row in ["4096 of 4096 pages", "as chosen", "psc", "itc", "am", "incremental", "bda"] {
        assert!(table.contains(row), "no {row} in {table}");
    }
    let forecast: Value =
        serde_json::from_str(&world.run("xc-migrate", args.iter().chain(&["--json"])).expect(0).stdout)
            .unwrap();
    assert_fits("docs/forecast.schema.json", &forecast);
    let chosen = &forecast["policies"][0];
    assert_eq!((&chosen["stop"], chosen["starts"].as_array().unwrap().len()), (&"fni:n=2".into(), 3));
    // 16 MiB and what was dirtied meanwhile, at 1 Gbit/s.
    let total = chosen["total"]["median"].as_f64().unwrap();
    assert!((0.134..0.3).contains(&total), "{chosen}");
    assert_eq!(chosen["rounds"]["most"], 2.0);
}

/// What is said of a guest, and what `--stats` says when it then moves at 200 Mbit/s.
fn predict_and_move() -> (Value, Value) {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "32M", BUSY);
    let way = ["--stop", "fni:n=3", "--bandwidth", "fixed:rate=200M"];
    // Many moments: where the guest is at the start decides how much is skipped, and so by a factor of two what goes.
    let predicted = ["predict", "--for", "4s", "--starts", "40", "--link-rate", "10G", "--json", "host:web"];
    let forecast = here.run("xc-migrate", predicted.iter().chain(&way)).expect(0).stdout;
    assert_untouched(&here);
    let (stats, command) = (path(&here, "stats"), receiver(&there, ""));
    let moved = ["--stats", &stats, "-s", "", "host:web", &command];
    here.run("xc-migrate", way.iter().chain(&moved)).expect(0);
    let stats: Value = serde_json::from_slice(&fs::read(stats).unwrap()).unwrap();
    (serde_json::from_str(&forecast).unwrap(), stats["save"].clone())
}

/// Whether the rate was held. A round that takes longer for want of a processor finds more pages dirty than it can be known
/// to.
fn kept_its_rate(save: &Value) -> bool {
    let rate = |round: &Value| round["bytes"].as_f64().unwrap() * 8.0 / round["duration"].as_f64().unwrap();
    save["rounds"].as_array().unwrap().iter().all(|round| rate(round) > 0.97 * 200e6)
}

#[test]
fn a_guest_is_predicted_as_it_then_moves() {
    let undisturbed = (0..5).map(|_| predict_and_move()).find(|(_, save)| kept_its_rate(save));
    let (forecast, save) = undisturbed.expect("the machine was too busy, five times");
    let chosen = &forecast["policies"][0];
    let bytes_of = |which: &str| chosen["bytes"][which].as_f64().unwrap();
    // Four seconds are longer than the migration takes, so nothing is replayed twice. The guest's rate and the link's are
    // set, so what goes hangs on where in its circle the guest is at the start; and on a busy machine, on how far it got.
    let bytes = save["bytes"].as_f64().unwrap();
    let (least, most) = (bytes_of("least"), bytes_of("most"));
    assert!((0.8 * least..1.25 * most).contains(&bytes), "{bytes}: {forecast:#} {save:#}");
    assert_eq!(chosen["rounds"]["median"], save["rounds"].as_array().unwrap().len() as f64);
}

#[test]
fn an_interrupted_recording_leaves_nothing() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let files_before = files(&world);
    let recording = start_recording(&world);
    recording.signal("INT");
    let ended = recording.finish().expect(130);
    assert!(ended.stderr.contains("SIGINT"), "{ended:#?}");
    assert_untouched(&world);
    assert_eq!(files(&world), files_before);
}

#[test]
fn a_killed_recording_leaves_the_guest_untracked() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let recording = start_recording(&world);
    recording.signal("KILL");
    let _ = recording.finish();
    assert_untouched(&world);
    assert!(!world.path("web.rec").exists());
}

#[test]
fn a_guest_is_recorded_or_moved_but_not_both() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let recording = start_recording(&here);
    let command = receiver(&there, "");
    let moved = here.run("xc-migrate", ["-s", "", "host:web", &command]).expect(1);
    assert!(moved.stderr.contains("cannot attach to the guest"), "{moved:#?}");
    recording.signal("TERM");
    recording.finish().expect(130);

    let slow = ["--bandwidth", "fixed:rate=10M", "-s", "", "host:web", &command];
    let moving = Running::start(here.command("xc-migrate").args(slow));
    while !here.info("web").unwrap().is_tracked() {}
    let refused = record(&here, "1s").expect(1);
    assert!(refused.stderr.contains("cannot attach to the guest"), "{refused:#?}");
    assert!(here.info("web").unwrap().is_tracked(), "the migration was disturbed");
    moving.signal("INT");
    moving.finish().expect(130);
    assert_untouched(&here);
}

#[test]
fn a_dry_run_moves_nothing() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let dry = ["--dry-run", "--link-rate", "1G", "--progress", "json", "host:web"];
    let migrated = world.run("xc-migrate", dry.iter().chain(&["nowhere"])).expect(0);
    assert_eq!(migrated.last_line(), "nothing was moved: host:web runs on here as before");
    assert_fits("docs/forecast.schema.json", &serde_json::from_str(&migrated.stdout).unwrap());
    assert_untouched(&world);
    let image = path(&world, "web.img");
    let saved = world.run("xc-save", dry.iter().chain(&[image.as_str()])).expect(0);
    let forecast: Value = serde_json::from_str(&saved.stdout).unwrap();
    assert_eq!(forecast["policies"][0]["rounds"]["most"], 0.0, "not --live");
    assert!(!world.path("web.img").exists());
    assert_untouched(&world);
}

#[test]
fn a_learnt_model_decides_on_a_real_guest() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "64M", "pagemod:rate=20000");
    here.run("xc-migrate", ["record", "--for", "2s", "host:web", &path(&here, "web.rec")]).expect(0);
    let model = path(&here, "web.model");
    let learnt = here.run("xc-migrate", ["learn", &path(&here, "web.rec"), "-o", &model, "--window", "4"]);
    assert!(learnt.expect(0).stderr.contains("patterns of 4 slots of 100ms"));
    let (stats, command) = (path(&here, "stats"), receiver(&there, ""));
    let stop = format!("am:model={model}");
    let args = ["--stop", &stop, "--bandwidth", "fixed:rate=1G", "--stats", &stats, "-s", "", "host:web"];
    here.run("xc-migrate", args.iter().copied().chain([command.as_str()])).expect(0);
    let save = &serde_json::from_slice::<Value>(&fs::read(stats).unwrap()).unwrap()["save"];
    assert_eq!(save["policy"], "am");
    let reason = save["stop_reason"].as_str().unwrap();
    assert!(reason.ends_with("no better moment is predicted"), "{reason}");
    there.await_status("web", "running");
}

#[test]
fn mistakes_say_what_was_expected() {
    let world = World::new();
    world.start_guest("web", "16M", "idle");
    fs::write(world.path("junk"), "junk").unwrap();
    let (junk, model) = (path(&world, "junk"), path(&world, "model"));
    let said = |code: i32, args: &[&str]| world.run("xc-migrate", args).expect(code).stderr;
    assert!(said(2, &["predict", "host:web"]).contains("--link-rate 10G"));
    assert!(said(2, &["predict", "--link-rate", "1G", "host:"]).contains("there is no such file"));
    assert!(said(1, &["predict", "--link-rate", "1G", &junk]).contains("not a recording of dirty pages"));
    assert!(said(2, &["record", "host:web", &junk]).contains("--for"));
    assert!(
        said(2, &["--stop", &format!("am:model={junk}"), "host:web", "b"])
            .contains("not a dirty-growth model")
    );
    for (slot, name) in [("50ms", "a"), ("100ms", "b")] {
        said(0, &["record", "--for", "200ms", "--slot", slot, "host:web", &path(&world, name)]);
    }
    let (a, b) = (path(&world, "a"), path(&world, "b"));
    assert!(
        said(1, &["learn", &a, &b, "-o", &model])
            .contains("b has slots of 100ms, the files before it of 50ms")
    );
    assert!(said(1, &["learn", &a, "-o", &model]).contains("as long as a window of 50 slots"));
    assert!(!world.path("model").exists());
    assert_untouched(&world);
}
