//! Restores: the dialogue, what is behind the stream, and what goes wrong.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::child::RESULTS;
use super::libxl::{Act, Ended, Heard, Libxl};
use super::traces::trace;
use super::{directory, saved_stream, stream_file};

const RESTORE: &str = "--restore-domain 5 -1 8 1 0 2 0 768 0";
/// What the simulated guest's stream does not have: CPUID and MSR policies.
const STATIC_DATA_DONE: Heard = Heard::StaticDataDone { missing: 3 };
const FOUND: Heard = Heard::RestoreResults { store_gfn: RESULTS.store_gfn, console_gfn: RESULTS.console_gfn };
const NOTHING: Heard = Heard::RestoreResults { store_gfn: 0, console_gfn: 0 };

/// A file with these bytes, at its start.
fn holding(directory: &Path, bytes: &[u8]) -> File {
    let mut file = stream_file(directory);
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_restore_is_the_stock_helpers_dialogue() {
    let directory = directory("restore");
    let (stream, pages) = saved_stream();
    let mut file = holding(&directory, &[&stream, b"libxl's own records".as_slice()].concat());
    let ended = Libxl::start(&directory, RESTORE, file.try_clone().unwrap()).run(|_, _| Act::Yes);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let complete = Heard::Complete { retval: 0, errno: 0 };
    assert_eq!(ended.steps(), [&STATIC_DATA_DONE, &FOUND, &complete]);
    let kind = |heard: &Heard| std::mem::discriminant(heard);
    let stock = trace("helper-pvh-live-restore.txt");
    let stock = stock.iter().filter(|heard| heard.is_step()).map(kind);
    assert!(ended.steps().into_iter().map(kind).eq(stock));
    assert!(ended.witness("guest") == pages);
    assert_eq!(ended.witness("statistics"), stream.len().to_string());
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "libxl's own records");
}

/// libxl was told of a failure, and got results that mean nothing.
fn assert_failed(ended: &Ended, errno: i32, text: &str) {
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((-1, errno))), "{ended:#?}");
    assert!(ended.error().contains(text), "{}", ended.error());
    assert!(ended.steps().contains(&&NOTHING) && !ended.steps().contains(&&FOUND), "{ended:#?}");
    assert_eq!(ended.witness("statistics"), "");
}

#[test]
fn a_truncated_stream_fails() {
    let (stream, _) = saved_stream();
    for length in [0, 10, 40, 5000, stream.len() / 2, stream.len() - 1] {
        let directory = directory("truncated");
        let file = holding(&directory, &stream[..length]);
        let ended = Libxl::start(&directory, RESTORE, file).run(|_, _| Act::Yes);
        assert_failed(&ended, libc::EIO, "cannot receive the domain: ");
    }
}

#[test]
fn a_libxl_that_cannot_complete_the_static_data_fails_it() {
    let directory = directory("static-data");
    let file = holding(&directory, &saved_stream().0);
    let ended = Libxl::start(&directory, RESTORE, file)
        .run(|_, heard| if *heard == STATIC_DATA_DONE { Act::Answer(-6) } else { Act::Yes });
    assert_failed(&ended, libc::EIO, "libxl could not: it answered static_data_done with -6");
}

/// A restore that waits for the second half of its stream, while libxl does `act`.
fn waits(test: &str, act: Act) -> Ended {
    let directory = directory(test);
    let (stream, _) = saved_stream();
    let (reader, mut writer) = io::pipe().unwrap();
    // The headers and STATIC_DATA_END fit into any pipe.
    writer.write_all(&stream[..4096]).unwrap();
    let libxl = Libxl::start(&directory, RESTORE, reader);
    let ended = libxl.run(|_, heard| if *heard == STATIC_DATA_DONE { act } else { Act::Yes });
    drop(writer);
    ended
}

#[test]
fn sigterm_ends_a_restore_that_waits() {
    assert_failed(&waits("waiting", Act::Terminate), libc::ECANCELED, "aborted: SIGTERM");
}

#[test]
fn sigterm_ends_a_restore_that_waits_for_the_first_byte() {
    let directory = directory("waiting-first");
    let (reader, _writer) = io::pipe().unwrap();
    let ended = Libxl::start(&directory, RESTORE, reader)
        .run(|index, _| if index == 0 { Act::Terminate } else { Act::Yes });
    assert_failed(&ended, libc::ECANCELED, "aborted: SIGTERM");
}

#[test]
fn the_death_of_libxl_ends_a_restore_that_waits() {
    let directory = directory("waiting-dead");
    let (reader, _writer) = io::pipe().unwrap();
    // At the first message: from then on there is nothing to do but to wait for the stream.
    let ended = Libxl::start(&directory, RESTORE, reader).run(|_, _| Act::Die);
    assert_eq!(ended.code, Some(254));
    assert!(ended.stderr.contains("aborted: libxl is gone"), "{}", ended.stderr);
}

#[test]
fn libxl_may_die_and_sigterm_may_come_at_every_message() {
    let (stream, pages) = saved_stream();
    let run = |at: usize, act: Act| {
        let directory = directory("restore-disturbed");
        let libxl = Libxl::start(&directory, RESTORE, holding(&directory, &stream));
        libxl.run(|index, _| if index == at { act } else { Act::Yes })
    };
    for at in 0..run(usize::MAX, Act::Yes).heard.len() {
        assert_eq!(run(at, Act::Die).code, Some(254));
        let ended = run(at, Act::Terminate);
        match ended.complete() {
            Some((0, 0)) => assert!(ended.witness("guest") == pages),
            _ => assert_failed(&ended, libc::ECANCELED, "aborted: SIGTERM"),
        }
    }
}
