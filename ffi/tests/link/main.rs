//! Links over real sockets, pipes and files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aborts;
mod files;
mod pipes;
mod sockets;

use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::{Abort, GuestPage, PAGE_SIZE};
use ffi::link::{LinkSpec, ReceiveLink, SendLink, open_receive, open_send};

/// An empty directory for one test.
fn directory(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn spec(text: &str) -> LinkSpec {
    text.parse().unwrap()
}

fn fd_spec(fd: &impl AsRawFd) -> LinkSpec {
    LinkSpec::Fd(fd.as_raw_fd())
}

fn send_to(spec: &LinkSpec) -> SendLink {
    open_send(spec, &Abort::new()).unwrap()
}

fn receive_from(spec: &LinkSpec) -> ReceiveLink {
    open_receive(spec, &Abort::new(), |_| ()).unwrap()
}

/// Opens a listening link on a thread; the address comes back once it listens.
fn listen(on: LinkSpec, abort: &Abort) -> (LinkSpec, JoinHandle<Result<ReceiveLink, ffi::link::Error>>) {
    let (tell, told) = mpsc::channel();
    let abort = abort.clone();
    let opening = thread::spawn(move || open_receive(&on, &abort, |at| tell.send(at.clone()).unwrap()));
    (told.recv().unwrap(), opening)
}

/// Both ends of a connected link.
fn connected(on: &str) -> (SendLink, ReceiveLink) {
    let (address, opening) = listen(spec(on), &Abort::new());
    let sender = send_to(&address);
    (sender, opening.join().unwrap().unwrap())
}

/// Pages of which no two are alike, and the same bytes in one piece.
fn pages(count: usize) -> (Vec<GuestPage>, Vec<u8>) {
    let mut flat = Vec::with_capacity(count * PAGE_SIZE);
    for i in 0..count * PAGE_SIZE / 8 {
        flat.extend((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    }
    (flat.as_chunks().0.iter().map(GuestPage::from_bytes).collect(), flat)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}
