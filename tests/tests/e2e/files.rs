//! Saves to files and pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use tests::{Running, World};

const BUSY: &str = "pagemod:rate=20000";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ASCII")
}

#[test]
fn a_saved_guest_goes_on_exactly_where_it_stopped() {
    let world = World::new();
    world.start_guest("web", "32M", BUSY);
    let file = world.path("web.img");
    let saved = world.run("xc-save", ["--hold", "host:web", text(&file)]).expect(0);
    assert!(saved.last_line().contains("web--migratedaway"), "{saved:#?}");
    let restored = world.run("xc-restore", ["-p", "--digest", text(&file)]).expect(0);
    assert_eq!(world.hash("web--migratedaway"), restored.stdout.trim());
    assert_eq!(world.hash("web--migratedaway"), world.hash("web"));
    let (before, after) = (world.info("web--migratedaway").unwrap(), world.info("web").unwrap());
    assert_eq!(before.number("writes"), after.number("writes"));
}

#[test]
fn a_saved_guest_runs_nowhere_and_its_file_is_private() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let file = world.path("web.img");
    let saved = world.run("xc-save", ["--live", "host:web", text(&file)]).expect(0);
    assert!(saved.last_line().ends_with("runs nowhere now"), "{saved:#?}");
    world.await_empty();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    world.run("xc-image", ["verify", text(&file)]).expect(0);
    world.run("xc-restore", [text(&file)]).expect(0);
    world.await_status("web", "running");
}

#[test]
fn a_checkpointed_guest_runs_on() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let file = world.path("web.img");
    let saved = world.run("xc-save", ["-c", "--live", "host:web", text(&file)]).expect(0);
    assert!(saved.last_line().ends_with("runs on here"), "{saved:#?}");
    assert!(!world.await_status("web", "running").is_tracked());
    world.run("xc-restore", [text(&file), "--as", "host:copy"]).expect(0);
    world.await_status("copy", "running");
}

#[test]
fn a_pipe_carries_a_guest_and_the_source_keeps_it_until_told() {
    let (here, there) = (World::new(), World::new());
    here.start_guest("web", "16M", BUSY);
    let mut save = here.command("xc-save");
    let mut save =
        save.args(["--live", "host:web", "-"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut restore = there.command("xc-restore");
    let status = restore.arg("-").stdin(save.stdout.take().unwrap()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success() && save.wait().unwrap().success());
    there.await_status("web", "running");
    here.await_status("web--migratedaway", "given-away");
    here.run("xc-guest", ["stop", "web--migratedaway"]).expect(0);
    here.await_empty();
}

#[test]
fn a_full_disk_leaves_the_guest_running() {
    let world = World::new();
    world.start_guest("web", "16M", BUSY);
    let saved = world.run("xc-save", ["--live", "host:web", "/dev/full"]).expect(1);
    assert!(saved.stderr.contains("No space left on device"), "{saved:#?}");
    assert_eq!(saved.last_line(), "host:web runs on here as before");
    assert!(!world.await_status("web", "running").is_tracked());
}

#[test]
fn an_interrupted_save_leaves_no_file_and_the_old_one_as_it_was() {
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let world = World::new();
        world.start_guest("web", "64M", BUSY);
        let (folder, file) = (world.path("saves"), world.path("saves/web.img"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "the old one").unwrap();
        let mut command = world.command("xc-save");
        command.args([
            "--live",
            "--bandwidth",
            "fixed:rate=100M",
            "--progress",
            "none",
            "host:web",
            text(&file),
        ]);
        let save = Running::start(&mut command);
        while !world.info("web").unwrap().is_tracked() {}
        save.signal(signal);
        let saved = save.finish();
        if signal != "KILL" {
            let saved = saved.expect(130);
            assert_eq!(saved.last_line(), "host:web runs on here as before");
            assert!(saved.stderr.contains(&format!("SIG{signal}")), "{saved:#?}");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "the old one");
        while world.await_status("web", "running").is_tracked() {}
        world.run("xc-save", ["host:web", text(&file)]).expect(0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a part file of a dead save stays for ever");
    }
}

#[test]
fn a_save_takes_little_memory_beside_the_guest() {
    /// What a save may take beside the mapped guest, KiB.
    const ALLOWED: u64 = 64 << 10;
    const GUEST: u64 = 256 << 10;
    let world = World::new();
    world.start_guest("web", "256M", BUSY);
    let peak = world.path("peak");
    let timed = ["/usr/bin/time", "-f", "%M", "-o", text(&peak)];
    let mut save = world.command_under(&timed, "xc-save");
    Running::start(save.args(["--live", "-c", "host:web", text(&world.path("web.img"))])).finish().expect(0);
    let peak: u64 = fs::read_to_string(peak).unwrap().trim().parse().unwrap();
    assert!(peak < GUEST + ALLOWED, "{peak} KiB");
}
