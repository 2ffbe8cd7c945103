//! Handing checkpointed streams over to the stock helper.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ffi::helper::STOCK_HELPER_VARIABLE;

use super::libxl::{Act, Ended, Libxl};
use super::{directory, stream_file};

const REMUS: &str = "--save-domain 5 0 7 1 184 1";
const COLO: &str = "--restore-domain 5 -1 8 1 0 2 0 888 2";

fn run(test: &str, args: &str, stock: &str) -> Ended {
    let directory = directory(test);
    let file = stream_file(&directory);
    Libxl::start_with(&directory, args, file, &[(STOCK_HELPER_VARIABLE, stock)]).run(|_, _| Act::Yes)
}

#[test]
fn the_stock_helper_gets_everything_as_it_was() {
    for args in [REMUS, COLO] {
        let scripts = directory("stock-script");
        let stock = scripts.join("stock");
        // Writes to the stream, reads from libxl and ends with a status of its own.
        let script = "#!/bin/sh\necho \"$@\" >&5; trap '' PIPE; echo \"$@\" > \"$XC_TEST_HELPER_DIRECTORY/args\"; exit 33\n";
        fs::write(&stock, script).unwrap();
        fs::set_permissions(&stock, fs::Permissions::from_mode(0o755)).unwrap();
        let ended = run("stock", args, stock.to_str().unwrap());
        assert_eq!((ended.code, ended.heard.as_slice()), (Some(33), [].as_slice()), "{ended:#?}");
        assert_eq!(ended.witness("args").trim(), args);
        assert_eq!(ended.witness("stream").trim(), args, "descriptor 5 is still the stream");
    }
}

#[test]
fn without_a_stock_helper_it_says_so() {
    let ended = run("no-stock", REMUS, "/nonexistent/libxl-save-helper");
    assert_eq!((ended.code, ended.heard.as_slice()), (Some(255), [].as_slice()));
    let text = "libxl-save-helper: checkpointed streams (Remus, COLO) need the stock helper, and \
                /nonexistent/libxl-save-helper cannot be started: No such file or directory (os error 2)\n";
    assert!(ended.stderr.ends_with(text), "{}", ended.stderr);
}

#[test]
fn it_does_not_start_itself_for_ever() {
    let this = std::env::current_exe().unwrap();
    let ended = run("itself", COLO, this.to_str().unwrap());
    assert_eq!((ended.code, ended.heard.as_slice()), (Some(255), [].as_slice()));
    assert!(ended.stderr.ends_with("cannot be started: that is this program itself\n"), "{}", ended.stderr);
}
