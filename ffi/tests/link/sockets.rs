//! TCP and unix sockets.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Abort, Link};
use ffi::link::{LinkSpec, open_receive, open_send};

use super::{connected, directory, listen, pages, send_to, soon};

fn carries_pages_and_a_dialogue(on: &str) {
    let (mut sender, mut receiver) = connected(on);
    assert!(sender.is_duplex() && receiver.is_duplex());

    let (guest, flat) = pages(2048);
    let expected = flat.clone();
    let receiving = thread::spawn(move || {
        let (mut head, mut body) = ([0; 8], vec![0; expected.len()]);
        receiver.read_exact(&mut head).unwrap();
        receiver.read_exact(&mut body).unwrap();
        assert_eq!(&head, b"a header");
        assert!(body == expected);
        receiver.reply(b"ready").unwrap();
        let mut go = [0; 2];
        receiver.receive(&mut go, soon()).unwrap();
        assert_eq!(&go, b"go");
        assert_eq!(receiver.read(&mut go).unwrap(), 0, "nothing but the end is left");
    });

    sender.send(b"a header", &[&guest[..1], &[], &guest[1..700], &guest[700..]]).unwrap();
    let mut ready = [0; 5];
    sender.receive(&mut ready, soon()).unwrap();
    assert_eq!(&ready, b"ready");
    sender.send(b"go", &[]).unwrap();
    assert_eq!(sender.bytes_sent(), 8 + flat.len() as u64 + 2);
    sender.commit().unwrap();
    receiving.join().unwrap();
}

#[test]
fn tcp() {
    carries_pages_and_a_dialogue("tcp://127.0.0.1:0");
}

#[test]
fn tcp_over_ipv6() {
    carries_pages_and_a_dialogue("tcp://[::1]:0");
}

#[test]
fn tcp_by_name() {
    carries_pages_and_a_dialogue("tcp://localhost:0");
}

#[test]
fn unix() {
    let path = directory("unix").join("link");
    carries_pages_and_a_dialogue(&format!("unix:{}", path.display()));
    assert!(!path.exists(), "the socket file is left");
}

#[test]
fn a_unix_door_is_for_its_owner_only() {
    let path = directory("door").join("link");
    let abort = Abort::new();
    let (_, opening) = listen(LinkSpec::Unix(path.clone()), &abort);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    abort.raise("enough");
    opening.join().unwrap().unwrap_err();
}

#[test]
fn a_dead_door_is_replaced_and_a_living_one_is_not_even_touched() {
    let dir = directory("doors");
    let (dead, file) = (dir.join("dead"), dir.join("file"));
    drop(UnixListener::bind(&dead).unwrap());
    fs::write(&file, "precious").unwrap();

    let abort = Abort::new();
    let (living, first) = listen(LinkSpec::Unix(dead), &abort);
    let second = open_receive(&living, &abort, |_| panic!("two listeners")).unwrap_err();
    assert!(format!("{second}").starts_with("cannot receive from unix:"), "{second}");
    send_to(&living).send(b"x", &[]).unwrap();
    let mut byte = [0];
    first.join().unwrap().unwrap().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x", "the second listener used up the first one's connection");

    open_receive(&LinkSpec::Unix(file.clone()), &abort, |_| panic!("listens on a file")).unwrap_err();
    assert!(!fs::metadata(&file).unwrap().file_type().is_socket());
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

fn is_cut_mid_way(on: &str) {
    let (mut sender, receiver) = connected(on);
    let (guest, _) = pages(4096);
    let sending = thread::spawn(move || sender.send(b"head", &[&guest]).unwrap_err());
    thread::sleep(Duration::from_millis(50));
    drop(receiver);
    let kind = sending.join().unwrap().kind();
    assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");

    let (mut sender, mut receiver) = connected(on);
    sender.send(b"half", &[]).unwrap();
    drop(sender);
    assert_eq!(receiver.read_exact(&mut [0; 8]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_cut_tcp_connection_is_an_error_at_both_ends() {
    is_cut_mid_way("tcp://127.0.0.1:0");
}

#[test]
fn a_cut_unix_connection_is_an_error_at_both_ends() {
    is_cut_mid_way(&format!("unix:{}", directory("cut").join("link").display()));
}

#[test]
fn a_dialogue_has_a_deadline_and_goes_on_behind_it() {
    let (mut sender, mut receiver) = connected("tcp://127.0.0.1:0");
    let begin = Instant::now();
    let late = sender.receive(&mut [0; 4], begin + Duration::from_millis(250)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(250) && waited < Duration::from_secs(1), "{waited:?}");
    let late = receiver.receive(&mut [0; 4], Instant::now()).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);

    receiver.reply(b"late").unwrap();
    let mut word = [0; 4];
    sender.receive(&mut word, soon()).unwrap();
    assert_eq!(&word, b"late");
}

#[test]
fn nobody_there_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = LinkSpec::Tcp { host: "127.0.0.1".into(), port };
    let error = open_send(&tcp, &Abort::new()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot send to tcp://127.0.0.1:{port}"));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("Connection refused"), "{cause}");

    let unix = LinkSpec::Unix(directory("nobody").join("link"));
    open_send(&unix, &Abort::new()).unwrap_err();
}

/// Sends more than the buffers of both ends hold; when the other end has read it all, nothing is in flight.
fn nothing_is_in_flight_in_the_end(on: &str) {
    let (mut sender, mut receiver) = connected(on);
    let (guest, flat) = pages(1024);
    let sending = thread::spawn(move || {
        (0..64).for_each(|_| sender.send(&[], &[&guest]).unwrap());
        let deadline = soon();
        while sender.undelivered().in_flight > 0 {
            assert!(Instant::now() < deadline, "{} bytes never leave", sender.undelivered().in_flight);
            thread::sleep(Duration::from_millis(1));
        }
    });
    let (mut piece, mut left) = (vec![0; flat.len() / 4], 64 * flat.len());
    while left > 0 {
        left -= receiver.read(&mut piece).unwrap();
    }
    sending.join().unwrap();
}

#[test]
fn a_receiver_that_is_slow_may_have_more_than_it_has_read() {
    let (mut sender, mut receiver) = connected("tcp://127.0.0.1:0");
    assert_eq!(sender.undelivered().unread, 0, "before anything was sent");
    let (guest, flat) = pages(1024);
    let sending = thread::spawn(move || {
        (0..16).for_each(|_| sender.send(&[], &[&guest]).unwrap());
        sender
    });
    // Most of the time the sender waits for it.
    let (mut piece, mut left) = (vec![0; flat.len() / 4], 16 * flat.len());
    while left > 0 {
        thread::sleep(Duration::from_millis(2));
        left -= receiver.read(&mut piece).unwrap();
    }
    let sender = sending.join().unwrap();
    assert!(sender.undelivered().unread > 0);
}

#[test]
fn in_flight_over_tcp() {
    nothing_is_in_flight_in_the_end("tcp://127.0.0.1:0");
}

#[test]
fn in_flight_over_unix() {
    let on = format!("unix:{}", directory("flight").join("socket").display());
    nothing_is_in_flight_in_the_end(&on);

    let (mut sender, mut receiver) = connected(&on);
    sender.send(&[0; 1000], &[]).unwrap();
    assert!(sender.undelivered().in_flight > 0);
    receiver.read_exact(&mut [0; 1000]).unwrap();
    assert_eq!(sender.undelivered().in_flight, 0);
}
