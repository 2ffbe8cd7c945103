//! Help, manual pages and completions come from one definition; README's tour works as written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Running, World, binary};

const COMMANDS: [&str; 6] =
    ["xc-save", "xc-migrate", "xc-restore", "xc-migrate-receive", "xc-image", "xc-guest"];

/// The long flags in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.len() > 2 && word.starts_with("--")).map(str::to_owned).collect()
}

/// The flags that the options of a help text define.
fn defined(help: &str) -> BTreeSet<String> {
    // Descriptions are indented further.
    let lines = help.lines().filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    let first = |line: &str| line.trim_start().split("  ").next().map(flags).unwrap_or_default();
    lines.flat_map(first).collect()
}

#[test]
fn every_flag_has_help_manual_and_completion() {
    let world = World::new();
    let share = world.path("share");
    Running::start(Command::new(binary("xc-man")).arg(&share)).finish().expect(0);
    let read = |path: &str| fs::read_to_string(share.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    for command in COMMANDS {
        let help = defined(&world.run(command, ["--help"]).expect(0).stdout);
        assert!(help.contains("--help"), "{command}: {help:?}");
        let manual = flags(&read(&format!("man/man1/{command}.1")).replace("\\-", "-"));
        let completion = flags(&read(&format!("bash-completion/completions/{command}")));
        for text in [&manual, &completion] {
            assert!(
                help.is_subset(text),
                "{command}: {:?} is missing",
                help.difference(text).collect::<Vec<_>>()
            );
        }
        read(&format!("zsh/site-functions/_{command}"));
        read(&format!("fish/vendor_completions.d/{command}.fish"));
    }
    read("man/man1/xc-migrate-cancel.1");
}

/// The indented lines below the heading.
fn block(text: &str, heading: &str) -> String {
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let world = World::new();
    let tour = block(include_str!("../../../README.md"), "## Tour");
    assert!(tour.lines().count() > 5, "{tour}");
    let place = world.path("tour");
    fs::create_dir(&place).unwrap();
    let folder = binary("xc-save").parent().map(Path::to_owned).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    // A relative path of the tour is in a folder of its own; its guests are this test's.
    let mut shell = world.command("xc-guest");
    let environment: Vec<_> =
        shell.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    shell = Command::new("sh");
    shell.args(["-e", "-x", "-c", &tour]).current_dir(place).env("PATH", path).envs(environment);
    let done = Running::start(&mut shell).finish().expect(0);
    assert!(done.stderr.contains("host:web runs on the target"), "{done:#?}");
    world.await_empty();
}
