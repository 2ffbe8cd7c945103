//! A Xen domain into an `xl` that only dies. What a real one does is seen on real Xen.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use stream::{libxl, xl};
use tests::{Finished, Running, World};

/// Leaves a file where it was started, and dies as the `xl` of Xen 4.17 does.
const DYING: &str = "#!/bin/sh\ntouch \"$0.started\"\nkill -SEGV $$\n";

/// Restores a file with this behind the configuration; says whether `xl` was started.
fn restored(behind: &[u8]) -> (Finished, bool) {
    let world = World::new();
    let (file, program) = (world.path("saved"), world.path("xl"));
    let mut bytes = Vec::new();
    let config = br#"{"c_info": {"type": "pvh", "name": "web"}}"#.to_vec();
    xl::Header { config }.write(&mut bytes).unwrap();
    bytes.extend_from_slice(behind);
    fs::write(&file, bytes).unwrap();
    fs::write(&program, DYING).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.command("xc-restore");
    // Any file will do for a helper that nobody starts.
    command.env("XC_MIGRATE_XL", &program).env("XC_MIGRATE_HELPER", &program);
    let finished = Running::start(command.arg(&file)).finish();
    (finished, world.path("xl.started").exists())
}

#[test]
fn xl_is_not_started_before_the_stream() {
    let (nothing, started) = restored(&[]);
    let nothing = nothing.expect(1);
    assert!(nothing.stderr.contains("libxl stream") && !started, "{nothing:#?}");
    assert!(nothing.last_line().starts_with("nothing of the guest is left here"), "{nothing:#?}");

    let (wrong, started) = restored(&[0x55; 16]);
    let wrong = wrong.expect(1);
    assert!(wrong.stderr.contains("magic 0x5555555555555555") && !started, "{wrong:#?}");
}

#[test]
fn an_xl_that_dies_may_have_left_something() {
    let mut head = Vec::new();
    libxl::Header::default().write(&mut head);
    let (died, started) = restored(&head);
    let died = died.expect(1);
    assert!(started && died.stderr.contains("signal: 11"), "{died:#?}");
    let last = died.last_line();
    assert!(last.starts_with("web is where it was") && last.contains("`xl destroy`"), "{died:#?}");
}
