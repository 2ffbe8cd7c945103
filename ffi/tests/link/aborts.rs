//! An abort ends any wait within a second.

use std::error::Error;
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Abort, Link};
use ffi::link::{Aborted, LinkSpec, ReceiveLink, SendLink, open_receive, open_send};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};

use super::{directory, fd_spec, pages, soon};

const BEFORE: Duration = Duration::from_millis(200);

/// Runs `wait` and raises the abort while it waits; gives back how `wait` ended.
fn aborted<T: Send>(wait: impl FnOnce(&Abort) -> T + Send) -> T {
    let abort = Abort::new();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&abort));
        thread::sleep(BEFORE);
        assert!(!waiting.is_finished(), "it did not wait");
        let raised = Instant::now();
        abort.raise("SIGINT");
        let result = waiting.join().unwrap();
        assert!(raised.elapsed() < Duration::from_secs(1), "{:?}", raised.elapsed());
        result
    })
}

#[track_caller]
fn assert_aborted(error: io::Error, kind: ErrorKind) {
    assert_eq!(error.kind(), kind);
    assert_eq!(error.to_string(), "aborted: SIGINT");
    error.downcast::<Aborted>().unwrap();
}

/// That opening ended by the abort.
#[track_caller]
fn assert_not_opened<T: std::fmt::Debug>(opened: Result<T, ffi::link::Error>) {
    let error = opened.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "aborted: SIGINT");
}

fn send_for_ever(mut link: SendLink) -> io::Error {
    let (guest, _) = pages(256);
    loop {
        if let Err(e) = link.send(b"head", &[&guest]) {
            return e;
        }
    }
}

#[test]
fn sending_into_a_full_pipe() {
    let (_reader, writer) = io::pipe().unwrap();
    let error = aborted(|abort| send_for_ever(open_send(&fd_spec(&writer), abort).unwrap()));
    assert_aborted(error, ErrorKind::Interrupted);
}

#[test]
fn sending_into_a_full_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let error = aborted(|abort| send_for_ever(open_send(&to, abort).unwrap()));
    assert_aborted(error, ErrorKind::Interrupted);

    let (ours, _theirs) = UnixStream::pair().unwrap();
    let error = aborted(|abort| send_for_ever(open_send(&fd_spec(&ours), abort).unwrap()));
    assert_aborted(error, ErrorKind::Interrupted);
}

#[test]
fn sending_where_nothing_waits() {
    let abort = Abort::new();
    let mut link = open_send(&LinkSpec::File("/dev/null".into()), &abort).unwrap();
    link.send(b"x", &[]).unwrap();
    abort.raise("SIGINT");
    assert_aborted(link.send(b"x", &[]).unwrap_err(), ErrorKind::Interrupted);
}

fn read(mut link: ReceiveLink) -> io::Error {
    // `read_exact` tries again on errors of kind `Interrupted`: the abort must not be one.
    link.read_exact(&mut [0; 8]).unwrap_err()
}

#[test]
fn reading() {
    let (reader, _writer) = io::pipe().unwrap();
    let error = aborted(|abort| read(open_receive(&fd_spec(&reader), abort, |_| ()).unwrap()));
    assert_aborted(error, ErrorKind::Other);

    let (ours, _theirs) = UnixStream::pair().unwrap();
    let error = aborted(|abort| read(open_receive(&fd_spec(&ours), abort, |_| ()).unwrap()));
    assert_aborted(error, ErrorKind::Other);
}

#[test]
fn a_dialogue() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let error =
        aborted(|abort| open_send(&fd_spec(&ours), abort).unwrap().receive(&mut [0; 8], soon()).unwrap_err());
    assert_aborted(error, ErrorKind::Other);
}

#[test]
fn a_dialogue_that_must_be_decided_goes_on() {
    let abort = Abort::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut sender = open_send(&fd_spec(&ours), &abort).unwrap();
    let mut receiver = open_receive(&fd_spec(&theirs), &abort, |_| ()).unwrap();
    sender.ignore_abort();
    receiver.ignore_abort();
    abort.raise("SIGINT");
    sender.send(b"go", &[]).unwrap();
    receiver.receive(&mut [0; 2], soon()).unwrap();
    receiver.reply(b"gone").unwrap();
    sender.receive(&mut [0; 4], soon()).unwrap();
}

fn accept(on: &LinkSpec) {
    assert_not_opened(aborted(|abort| open_receive(on, abort, |_| ())));
}

#[test]
fn accepting() {
    accept(&"tcp://127.0.0.1:0".parse().unwrap());
    let path = directory("accept").join("link");
    accept(&LinkSpec::Unix(path.clone()));
    assert!(!path.exists(), "the socket file is left");
}

#[test]
fn connecting_to_a_full_tcp_queue() {
    let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(300);
    let _queued: Vec<_> =
        std::iter::from_fn(|| TcpStream::connect_timeout(&address, patience).ok()).collect();
    let to = format!("tcp://{address}").parse().unwrap();
    assert_not_opened(aborted(|abort| open_send(&to, abort)));
}

#[test]
fn connecting_to_a_full_unix_queue() {
    let path = directory("queue").join("link");
    let listener = UnixListener::bind(&path).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    let to = LinkSpec::Unix(path);
    let mut queued = Vec::new();
    assert_not_opened::<()>(aborted(|abort| {
        loop {
            queued.push(open_send(&to, abort)?);
            assert!(queued.len() < 100, "the queue has no end");
        }
    }));
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_named_pipe_without_its_other_end() {
    let path = directory("lonely").join("pipe");
    make_fifo(&path);
    let pipe = LinkSpec::File(path);
    assert_not_opened(aborted(|abort| open_send(&pipe, abort)));
    let error = aborted(|abort| read(open_receive(&pipe, abort, |_| ()).unwrap()));
    assert_aborted(error, ErrorKind::Other);
}
