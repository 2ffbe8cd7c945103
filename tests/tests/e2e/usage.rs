//! What the commands say of themselves, and of mistakes.

use tests::{Running, World};

const COMMANDS: [&str; 6] =
    ["xc-save", "xc-migrate", "xc-restore", "xc-migrate-receive", "xc-image", "xc-guest"];

#[test]
fn every_command_teaches() {
    let world = World::new();
    for command in COMMANDS {
        let help = world.run(command, ["--help"]).expect(0).stdout;
        assert!(help.contains("Exit codes"), "{command}: {help}");
        assert!(help.contains("Examples"), "{command}: {help}");
        assert!(world.run(command, ["--version"]).expect(0).stdout.contains(env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn mistakes_are_exit_code_2_and_touch_nothing() {
    let world = World::new();
    for command in COMMANDS {
        world.run(command, ["--no-such-flag"]).expect(2);
    }
    let policy = world.run("xc-save", ["--stop", "itd", "host:web", "file"]).expect(2);
    assert!(policy.stderr.contains("classic, fni:n=N, psc, xen"), "{policy:#?}");
}

#[test]
fn a_guest_that_is_not_there_is_named() {
    let world = World::new();
    let saved = world.run("xc-save", ["host:nobody", "file"]).expect(1);
    assert!(saved.stderr.contains("nobody"), "{saved:#?}");
    // Without a world in front it is a Xen domain.
    let mut xen = world.command("xc-save");
    let xen = Running::start(xen.env("XC_MIGRATE_HELPER", "/no-such-helper").args(["web", "file"]));
    let xen = xen.finish().expect(1);
    assert!(xen.stderr.contains("/no-such-helper") && xen.stderr.contains("host:NAME"), "{xen:#?}");
    let restored = world.run("xc-restore", ["no-such-file"]).expect(1);
    assert!(restored.stderr.contains("no-such-file"), "{restored:#?}");
}
