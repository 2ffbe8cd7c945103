//! Settings: flag, environment, file, default.

use std::fs;

use tests::{Finished, World};

fn config(world: &World, text: &str, environment: &[(&str, &str)]) -> Finished {
    let file = world.path("xc-migrate.toml");
    fs::write(&file, text).unwrap();
    let mut command = world.command("xc-migrate");
    command.arg("config").env("XC_MIGRATE_CONFIG", &file).envs(environment.iter().copied());
    tests::Running::start(&mut command).finish()
}

#[test]
fn each_value_says_where_it_comes_from() {
    let world = World::new();
    let text = "# ours\nstop = \"psc\"\ntimeout = \"60s\"\n";
    let shown = config(&world, text, &[("XC_MIGRATE_STOP", "classic")]).expect(0).stdout;
    let line =
        |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{shown}"));
    assert!(line("stop = \"classic\"").ends_with("# XC_MIGRATE_STOP in the environment"));
    assert!(line("timeout = \"60s\"").ends_with("xc-migrate.toml, line 3"));
    assert!(line("bandwidth = \"unlimited\"").ends_with("# default"));
}

#[test]
fn mistakes_name_the_place_and_what_was_expected() {
    let world = World::new();
    for (text, expected) in [
        ("\n\ntimeout = \"60\"\n", "xc-migrate.toml, line 3: timeout = \"60\": not a time such as 300ms"),
        ("stopp = \"xen\"\n", "line 1: unknown setting \"stopp\"; there are: stop, bandwidth"),
        ("stop = 5\n", "line 1: stop must be a text in quotes"),
        ("stop = \"xen\"\nbandwidth\n", "line 2: "),
        ("stop = \"itd\"\n", "classic, fni:n=N, psc, xen"),
    ] {
        let shown = config(&world, text, &[]).expect(2);
        assert!(shown.stderr.contains(expected), "{shown:#?}");
    }
    let shown = config(&world, "", &[("XC_MIGRATE_TIMEOUT_ACTION", "wait")]).expect(2);
    assert!(
        shown.stderr.contains("XC_MIGRATE_TIMEOUT_ACTION in the environment: timeout_action"),
        "{shown:#?}"
    );
}

#[test]
fn a_setting_of_the_file_is_used_and_a_flag_is_stronger() {
    let world = World::new();
    world.start_guest("web", "16M", "pagemod:rate=20000");
    let file = world.path("xc-migrate.toml");
    fs::write(&file, "stop = \"fni:n=2\"\n").unwrap();
    let save = |args: &[&str]| {
        let mut command = world.command("xc-save");
        command.env("XC_MIGRATE_CONFIG", &file).args(["-c", "--live"]).args(args);
        command.arg("host:web").arg(world.path("web.img"));
        tests::Running::start(&mut command).finish().expect(0).stderr
    };
    assert!(save(&[]).contains("2 live, then fni"));
    assert!(save(&["--stop", "psc"]).contains("then psc"));
}

#[test]
fn the_example_is_sound() {
    let world = World::new();
    let example = include_str!("../../../packaging/xc-migrate.toml");
    config(&world, example, &[]).expect(0);
    // With every line in force, too.
    let all: String = example
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|l| l.contains(" = \"")).unwrap_or("")))
        .collect();
    assert!(all.contains("\nstop = \"xen\"\n"), "{all}");
    config(&world, &all, &[]).expect(0);
}

#[test]
fn the_doctor_says_what_works() {
    let world = World::new();
    let seen = world.run("xc-migrate", ["doctor", "tcp://127.0.0.1:7000"]).expect(0).stdout;
    for what in ["write tracking", "guest program", "memory", "disk", "Xen", "route"] {
        assert!(seen.contains(what), "{seen}");
    }
    let mut command = world.command("xc-migrate");
    let seen = tests::Running::start(command.arg("doctor").env("XC_GUEST", "/no/such")).finish().expect(1);
    assert!(seen.stdout.contains("BAD   guest program") && seen.stdout.contains("-> install"), "{seen:#?}");
}
