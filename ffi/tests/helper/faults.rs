//! What goes wrong in the middle of a save, at every step of it.

use std::fs::File;
use std::io::{self, Seek};

use super::libxl::{Act, Ended, Heard, Libxl};
use super::{directory, pages_of, restored, stream_file};

const LIVE: &str = "--save-domain 5 0 7 1 136 0";

/// A save into a file, in which libxl does `act` at the message with index `at`.
fn disturbed(at: usize, act: Act) -> (Ended, File) {
    let directory = directory("disturbed");
    let file = stream_file(&directory);
    let libxl = Libxl::start(&directory, LIVE, file.try_clone().unwrap());
    (libxl.run(|index, _| if index == at { act } else { Act::Yes }), file)
}

fn count_messages() -> usize {
    disturbed(usize::MAX, Act::Yes).0.heard.len()
}

#[test]
fn libxl_may_die_at_every_message() {
    for at in 0..count_messages() {
        let (ended, _) = disturbed(at, Act::Die);
        assert_eq!(ended.code, Some(254), "{ended:#?}");
        assert!(
            ended.stderr.contains("libxl-save-helper: libxl was not told of the outcome ("),
            "{ended:#?}"
        );
        ended.assert_source_is_free();
    }
}

#[test]
fn libxl_may_die_in_the_middle_of_an_answer() {
    for at in 0..count_messages() {
        let (ended, _) = disturbed(at, Act::DieHalfway);
        assert_eq!(ended.code, Some(254), "{ended:#?}");
        ended.assert_source_is_free();
    }
}

#[test]
fn sigterm_at_every_message_ends_in_order() {
    let mut aborted = 0;
    for at in 0..count_messages() {
        let (ended, mut file) = disturbed(at, Act::Terminate);
        assert_eq!((ended.code, ended.qemu_logs().unwrap_or(false)), (Some(0), false), "{ended:#?}");
        ended.assert_source_is_free();
        match ended.complete() {
            // It came too late: then the save is whole.
            Some((0, 0)) => {
                file.rewind().unwrap();
                assert_eq!(pages_of(&restored(&file)), ended.witness("guest"));
            }
            complete => {
                assert_eq!(complete, Some((-1, libc::ECANCELED)), "{ended:#?}");
                assert_eq!(ended.error(), "aborted: SIGTERM");
                aborted += 1;
            }
        }
    }
    assert!(aborted > 3, "no SIGTERM came in time");
}

#[test]
fn sigterm_at_a_step_before_the_last_aborts() {
    let directory = directory("sigterm-suspend");
    let libxl = Libxl::start(&directory, LIVE, stream_file(&directory));
    let ended = libxl.run(|_, heard| if *heard == Heard::Suspend { Act::Terminate } else { Act::Yes });
    let on = Heard::SwitchQemuLogdirty { domid: 7, enable: 1 };
    let off = Heard::SwitchQemuLogdirty { domid: 7, enable: 0 };
    let complete = Heard::Complete { retval: -1, errno: libc::ECANCELED };
    assert_eq!(ended.steps(), [&on, &Heard::Suspend, &off, &complete]);
    ended.assert_source_is_free();
}

/// Whether this is the first report of the first pass: pages are on their way.
fn is_sending(heard: &Heard) -> bool {
    matches!(heard, Heard::Progress { text, .. } if text == "Frames iteration 0")
}

#[test]
fn sigterm_ends_a_save_whose_reader_does_not_read() {
    let directory = directory("stuck");
    let (_reader, writer) = io::pipe().unwrap();
    let ended = Libxl::start(&directory, LIVE, writer)
        .run(|_, heard| if is_sending(heard) { Act::Terminate } else { Act::Yes });
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((-1, libc::ECANCELED))), "{ended:#?}");
    assert_eq!(ended.qemu_logs(), Some(false));
    ended.assert_source_is_free();
}

#[test]
fn the_death_of_libxl_ends_a_save_whose_reader_does_not_read() {
    let directory = directory("stuck-dead");
    let (_reader, writer) = io::pipe().unwrap();
    let ended = Libxl::start(&directory, LIVE, writer)
        .run(|_, heard| if is_sending(heard) { Act::Die } else { Act::Yes });
    assert_eq!(ended.code, Some(254));
    assert!(ended.stderr.contains("libxl is gone"), "{}", ended.stderr);
    ended.assert_source_is_free();
}

/// A save onto a link that fails: libxl hears the link's error, and the source is free.
fn fails(test: &str, stream: impl Into<std::process::Stdio>, errno: i32, text: &str) {
    let directory = directory(test);
    let ended = Libxl::start(&directory, LIVE, stream).run(|_, _| Act::Yes);
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((-1, errno))), "{ended:#?}");
    assert!(ended.error().ends_with(text), "{}", ended.error());
    assert!(!ended.qemu_logs().unwrap_or(false));
    ended.assert_source_is_free();
}

#[test]
fn a_cut_pipe_is_an_error_and_no_death() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    fails("cut", writer, libc::EPIPE, "link closed: Broken pipe (os error 32)");
}

#[test]
fn a_full_disk_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    fails("full", full, libc::ENOSPC, "link failed: No space left on device (os error 28)");
}

#[test]
fn a_stream_that_is_not_open_is_told() {
    let directory = directory("not-open");
    let args = LIVE.replace("--save-domain 5", "--save-domain 77");
    let ended = Libxl::start(&directory, &args, stream_file(&directory)).run(|_, _| Act::Yes);
    assert_eq!(ended.steps(), [&Heard::Complete { retval: -1, errno: libc::EBADF }]);
    assert_eq!(ended.error(), "cannot send to fd:77: Bad file descriptor (os error 9)");
}

fn troubled(trouble: &str) -> Ended {
    let directory = directory(trouble);
    Libxl::start_in_trouble(&directory, LIVE, stream_file(&directory), trouble).run(|_, _| Act::Yes)
}

#[test]
fn a_panic_is_undone_and_told() {
    let ended = troubled("panic");
    assert_eq!((ended.code, ended.complete()), (Some(0), Some((-1, libc::EIO))), "{ended:#?}");
    assert_eq!(ended.error(), "panicked: the world came to an end");
    assert_eq!(ended.qemu_logs(), Some(false));
    ended.assert_source_is_free();
}

#[test]
fn a_domain_that_cannot_be_opened_is_told() {
    let ended = troubled("open");
    assert_eq!(ended.steps(), [&Heard::Complete { retval: -1, errno: libc::EACCES }]);
    assert_eq!(ended.error(), "Permission denied (os error 13)");
}

#[test]
fn log_dirty_that_does_not_go_off_at_once_fails_the_save() {
    let ended = troubled("stop");
    assert_eq!(ended.complete(), Some((-1, libc::EIO)), "{ended:#?}");
    assert_eq!(ended.qemu_logs(), Some(false));
    ended.assert_source_is_free();
}
