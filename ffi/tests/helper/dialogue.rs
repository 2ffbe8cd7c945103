//! Saves that go well: the order of the messages, and the stream.

use std::io::{Read, Seek, Write};

use super::child::PAGES;
use super::libxl::{Act, Heard, Libxl};
use super::traces::trace;
use super::{directory, pages_of, restored, stream_file};

const LIVE: &str = "--save-domain 5 0 7 1 136 0";
const PLAIN: &str = "--save-domain 5 0 7 0 136 0";
const LIVE_DEBUG: &str = "--save-domain 5 0 7 3 136 0";

/// Saves into a file, has libxl write on, and restores it.
fn saves_and_restores(test: &str, args: &str) -> super::libxl::Ended {
    let directory = directory(test);
    let mut file = stream_file(&directory);
    let ended = Libxl::start(&directory, args, file.try_clone().unwrap()).run(|_, _| Act::Yes);
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((0, 0))), "{ended:#?}");
    ended.assert_source_is_free();
    // The offset is shared: libxl goes on where the helper stopped.
    file.write_all(b"libxl's own records").unwrap();
    file.rewind().unwrap();
    assert_eq!(pages_of(&restored(&file)), ended.witness("guest"));
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "libxl's own records");
    assert_eq!(ended.witness("statistics"), (file.metadata().unwrap().len() - 19).to_string());
    ended
}

#[test]
fn a_live_save_is_the_stock_helpers_dialogue() {
    let ended = saves_and_restores("live", LIVE);
    let stock = trace("helper-pvh-live-save.txt");
    let stock: Vec<&Heard> = stock.iter().filter(|heard| heard.is_step()).collect();
    assert_eq!(ended.steps(), stock);
}

#[test]
fn the_stock_helpers_milestones_are_told() {
    let ended = saves_and_restores("milestones", LIVE);
    let milestones = |all: &[Heard]| -> Vec<String> {
        let texts = all.iter().filter_map(|heard| match heard {
            Heard::Progress { text, done: 0, total: 0, .. } => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    };
    let told = milestones(&ended.heard);
    assert_eq!(told, ["Start of stream", "Domain now suspended", "End of stream", "Complete"]);
    for text in milestones(&trace("helper-pvh-live-save.txt")) {
        assert!(told.contains(&text), "{text}");
    }
    let first_pass = ended.heard.iter().find_map(|heard| match heard {
        Heard::Progress { text, done, total, .. } if *total > 0 => Some((text.as_str(), *done, *total)),
        _ => None,
    });
    assert_eq!(first_pass, Some(("Frames iteration 0", 16, PAGES)));
}

#[test]
fn a_plain_save_only_suspends() {
    let ended = saves_and_restores("plain", PLAIN);
    assert_eq!(ended.steps(), [&Heard::Suspend, &Heard::Complete { retval: 0, errno: 0 }]);
}

#[test]
fn the_policy_of_the_simulator_decides() {
    let live = saves_and_restores("decides", LIVE).witness("decisions");
    // Xen's rule has at most 5 rounds, and this guest never becomes calm.
    assert!(live.starts_with("5 rounds, 6 decisions: "), "{live}");
    assert_eq!(saves_and_restores("undecided", PLAIN).witness("decisions"), "nobody asked");
}

#[test]
fn a_debug_save_sends_all_twice() {
    let once: u64 = saves_and_restores("once", LIVE).witness("statistics").parse().unwrap();
    let twice: u64 = saves_and_restores("twice", LIVE_DEBUG).witness("statistics").parse().unwrap();
    assert!(twice >= once + PAGES * 4096, "{once}, {twice}");
}

#[test]
fn statistics_that_cannot_be_kept_are_a_warning() {
    let directory = directory("statistics");
    let file = stream_file(&directory);
    let ended = Libxl::start_in_trouble(&directory, LIVE, file, "statistics").run(|_, _| Act::Yes);
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((0, 0))));
    assert_eq!(ended.warnings(), ["no statistics: no room for them"]);
}
