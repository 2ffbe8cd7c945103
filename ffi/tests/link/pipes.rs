//! Pipes and descriptors that somebody else shares.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use engine::{Abort, Link};
use ffi::link::{LinkSpec, open_receive, open_send};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use super::{directory, fd_spec, pages, receive_from, send_to, soon};

#[test]
fn a_slow_pipe_gets_every_byte_and_keeps_its_flags() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut link = send_to(&fd_spec(&writer));
    assert!(!link.is_duplex());
    let (guest, flat) = pages(100);
    let expected = [b"head".as_slice(), &flat].concat();
    let reading = thread::spawn(move || {
        let mut got = Vec::new();
        let mut piece = [0; 1000];
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => return got,
                n => got.extend_from_slice(&piece[..n]),
            }
            if got.len() % 7 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    link.send(b"head", &[&guest[..3], &guest[3..]]).unwrap();
    assert_eq!(link.bytes_sent(), expected.len() as u64);
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK), "the other users of the pipe would see this");
    let flags = FdFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFD).unwrap());
    assert!(flags.contains(FdFlag::FD_CLOEXEC), "a guest that we start would hold the link open");
    link.commit().unwrap();
    drop(writer);
    assert!(reading.join().unwrap() == expected);
}

#[test]
fn a_shared_pipe_is_filled_without_a_reader() {
    let (_reader, writer) = io::pipe().unwrap();
    let mut link = send_to(&fd_spec(&writer));
    // More than a pipe takes by default, and far more than the `PIPE_BUF` that may be written without blocking to a
    // description of somebody else's.
    let (guest, _) = pages(128);
    link.send(b"head", &[&guest]).unwrap();
}

fn leaves_what_follows(reader: impl Read + AsFd + std::os::fd::AsRawFd) {
    let mut link = receive_from(&fd_spec(&reader));
    let mut stream = [0; 6];
    link.read_exact(&mut stream[..2]).unwrap();
    link.read_exact(&mut stream[2..]).unwrap();
    assert_eq!(&stream, b"stream");
    drop(link);
    let mut rest = [0; 100];
    let mut reader = reader;
    let n = reader.read(&mut rest).unwrap();
    assert_eq!(&rest[..n], b"sentinel");
}

#[test]
fn nothing_behind_the_stream_is_read() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"streamsentinel").unwrap();
    drop(writer);
    leaves_what_follows(reader);

    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.write_all(b"streamsentinel").unwrap();
    drop(writer);
    leaves_what_follows(reader);

    let path = directory("sentinel").join("file");
    let mut file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    file.write_all(b"streamsentinel").unwrap();
    file.rewind().unwrap();
    leaves_what_follows(file);
}

#[test]
fn an_inherited_socket_is_duplex() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut sender = send_to(&fd_spec(&ours));
    let mut receiver = receive_from(&fd_spec(&theirs));
    assert!(sender.is_duplex() && receiver.is_duplex());
    receiver.reply(b"hello").unwrap();
    let mut word = [0; 5];
    sender.receive(&mut word, soon()).unwrap();
    assert_eq!(&word, b"hello");
}

#[test]
fn a_pipe_has_no_way_back() {
    let (reader, writer) = io::pipe().unwrap();
    let error = send_to(&fd_spec(&writer)).receive(&mut [0; 1], soon()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = receive_from(&fd_spec(&reader)).reply(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_pipe_without_reader_is_broken() {
    let (reader, writer) = io::pipe().unwrap();
    let mut link = send_to(&fd_spec(&writer));
    let (guest, _) = pages(1000);
    let sending = thread::spawn(move || link.send(b"head", &[&guest]).unwrap_err());
    thread::sleep(Duration::from_millis(50));
    drop(reader);
    assert_eq!(sending.join().unwrap().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_named_pipe_waits_for_its_other_end() {
    let path = directory("fifo").join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let spec = LinkSpec::File(path.clone());
    let sending = thread::spawn({
        let spec = spec.clone();
        move || {
            let (guest, _) = pages(100);
            let mut link = send_to(&spec);
            link.send(b"", &[&guest]).unwrap();
            link.commit().unwrap();
        }
    });
    let mut got = Vec::new();
    receive_from(&spec).read_to_end(&mut got).unwrap();
    sending.join().unwrap();
    assert!(got == pages(100).1);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "only the pipe is there");
}

#[test]
fn a_descriptor_that_is_not_open_is_refused() {
    let spec = LinkSpec::Fd(54321);
    assert_eq!(open_send(&spec, &Abort::new()).unwrap_err().to_string(), "cannot send to fd:54321");
    let error = open_receive(&spec, &Abort::new(), |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "cannot receive from fd:54321");
}

#[test]
fn what_nobody_has_read_yet_is_in_flight() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut link = send_to(&fd_spec(&writer));
    assert_eq!(link.undelivered().in_flight, 0);
    link.send(&[0; 1000], &[]).unwrap();
    assert_eq!(link.undelivered().in_flight, 1000);
    reader.read_exact(&mut [0; 600]).unwrap();
    assert_eq!(link.undelivered().in_flight, 400);
    reader.read_exact(&mut [0; 400]).unwrap();
    assert_eq!(link.undelivered().in_flight, 0);
}
