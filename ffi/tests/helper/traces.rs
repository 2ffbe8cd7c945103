//! Dialogues of stock helpers with libxl 4.17, recorded on a real host with `strace`.

use std::path::Path;

use ffi::helper::{Level, Notice, Request, RestoreResults};

use super::libxl::Heard;

/// The frames that the helper sent, without their lengths.
fn frames(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helper/traces").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let mut bytes = Vec::new();
    let mut of_helper = false;
    for line in text.lines() {
        match line.strip_prefix(" | ") {
            Some(dump) if of_helper => bytes.extend(hex(dump)),
            Some(_) => {}
            None => of_helper = line == "helper->libxl",
        }
    }
    split(&bytes)
}

/// A line of a dump: an offset of five digits, up to 16 bytes in 50 columns, and the bytes as text.
fn hex(dump: &str) -> impl Iterator<Item = u8> {
    dump[5..55].split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap())
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (frame, rest) = rest.split_at(u16::from_le_bytes(*length).into());
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

/// The messages of the stock helper, in order.
pub(crate) fn trace(name: &str) -> Vec<Heard> {
    frames(name).iter().map(|frame| Heard::decode(frame)).collect()
}

/// The same message from our encoder; none for a log level that we do not use.
fn encoded(heard: &Heard) -> Option<Vec<u8>> {
    Some(match heard {
        Heard::Log { level, errno, context, text } => {
            let levels = [Level::Debug, Level::Detail, Level::Info, Level::Warn, Level::Error];
            let level = levels.into_iter().find(|&known| known as u32 == *level)?;
            Notice::Log { level, errno: *errno, context, text }.encode()
        }
        Heard::Progress { context, text, done, total } => {
            Notice::Progress { context, text, done: *done, total: *total }.encode()
        }
        Heard::RestoreResults { store_gfn, console_gfn } => {
            let results = RestoreResults { store_gfn: *store_gfn, console_gfn: *console_gfn };
            Notice::RestoreResults(results).encode()
        }
        Heard::Suspend => Request::Suspend.encode(),
        Heard::SwitchQemuLogdirty { domid, enable } => {
            Request::SwitchQemuLogdirty { domid: *domid, enable: *enable != 0 }.encode()
        }
        Heard::StaticDataDone { missing } => Request::StaticDataDone { missing: *missing }.encode(),
        Heard::Complete { retval, errno } => Request::Complete { retval: *retval, errno: *errno }.encode(),
    })
}

#[test]
fn every_recorded_message_is_encoded_alike() {
    let mut same = 0;
    for name in [
        "helper-pv-live-restore.txt",
        "helper-pv-live-save.txt",
        "helper-pvh-live-restore.txt",
        "helper-pvh-live-save.txt",
    ] {
        for frame in frames(name) {
            let Some(ours) = encoded(&Heard::decode(&frame)) else { continue };
            assert_eq!(ours[2..], frame, "{name}");
            assert_eq!(usize::from(u16::from_le_bytes([ours[0], ours[1]])), frame.len());
            same += 1;
        }
    }
    assert!(same > 40, "the traces hold only {same} messages");
}
