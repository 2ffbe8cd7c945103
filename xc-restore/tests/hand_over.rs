//! Both halves of a hand-over against each other, over a real socket, with a death at every step.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use engine::{Abort, BoxError};
use stream::xl::handshake::{COMPLETE, PERMISSION, REPORT};
use xc_restore::take_over::{self, NotStarted, take_over};
use xc_save::hand_over::{self, Departing, Dialogue, hand_over};

struct Socket(UnixStream);

impl Dialogue for Socket {
    fn tell(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message)
    }

    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()> {
        self.0.set_read_timeout(Some(deadline - Instant::now()))?;
        self.0.read_exact(message)
    }

    fn ignore_abort(&mut self) {}
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Guest {
    given_away: bool,
    taken_back: bool,
}

impl Departing for Guest {
    fn give_away(&mut self) -> Result<(), BoxError> {
        self.given_away = true;
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), BoxError> {
        self.taken_back = true;
        Ok(())
    }
}

const UNTOUCHED: Guest = Guest { given_away: false, taken_back: false };
const GIVEN: Guest = Guest { given_away: true, taken_back: false };
const GIVEN_BACK: Guest = Guest { given_away: true, taken_back: true };

/// Runs the source's half against `target`; returns what became of its guest.
fn source(
    abort: &Abort,
    target: impl FnOnce(Socket) + Send + 'static,
) -> (Result<(), hand_over::Error>, Guest) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let target = thread::spawn(move || target(Socket(theirs)));
    let mut guest = Guest::default();
    let result = hand_over(&mut Socket(ours), &mut guest, abort);
    target.join().expect("the target does not panic");
    (result, guest)
}

/// Runs the target's half against `source`; returns whether it ran the guest.
fn target(
    start: Result<(), NotStarted>,
    source: impl FnOnce(Socket) + Send + 'static,
) -> (Result<(), take_over::Error>, bool) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let source = thread::spawn(move || source(Socket(theirs)));
    let mut started = false;
    let result = take_over(&mut Socket(ours), || {
        started = start.is_ok();
        start
    });
    source.join().expect("the source does not panic");
    (result, started)
}

fn hear(socket: &mut Socket, message: &[u8]) {
    let mut heard = vec![0; message.len()];
    socket.0.read_exact(&mut heard).expect("a message");
    assert_eq!(heard, message);
}

fn broken() -> NotStarted {
    NotStarted::Discarded("no memory".into())
}

#[test]
fn the_target_runs_it_and_the_source_does_not() {
    let (result, guest) = source(&Abort::new(), |mut socket| take_over(&mut socket, || Ok(())).unwrap());
    assert!(result.is_ok());
    assert_eq!(guest, GIVEN);
}

#[test]
fn a_target_that_cannot_start_it_gives_it_back() {
    let (result, guest) = source(&Abort::new(), |mut socket| {
        let refused = take_over(&mut socket, || Err(broken()));
        assert!(matches!(refused, Err(take_over::Error::NotStarted(_))));
    });
    assert!(matches!(result, Err(hand_over::Error::GivenBack(1))), "{result:?}");
    assert_eq!(guest, GIVEN_BACK);
}

#[test]
fn a_target_that_dies_before_it_is_complete_leaves_the_guest_with_the_source() {
    let (result, guest) = source(&Abort::new(), drop);
    assert!(matches!(result, Err(hand_over::Error::NotTaken(_))));
    assert_eq!(guest, UNTOUCHED);
}

#[test]
fn a_target_that_talks_nonsense_leaves_the_guest_with_the_source() {
    let (result, guest) = source(&Abort::new(), |mut socket| socket.tell(&[b'x'; 34]).unwrap());
    let Err(hand_over::Error::NotTaken(cause)) = result else { panic!("{result:?}") };
    assert!(cause.to_string().contains("domain received, ready to unpause"), "{cause}");
    assert_eq!(guest, UNTOUCHED);
}

#[test]
fn an_abort_before_the_guest_is_given_away_keeps_it() {
    let abort = Abort::new();
    let raised = abort.clone();
    let (result, guest) = source(&abort, move |mut socket| {
        raised.raise("SIGINT");
        socket.tell(COMPLETE).unwrap();
    });
    assert!(matches!(result, Err(hand_over::Error::Aborted(reason)) if reason == "SIGINT"));
    assert_eq!(guest, UNTOUCHED);
}

#[test]
fn a_target_that_dies_with_the_guest_leaves_it_undecided_and_held() {
    let after_permission = |mut socket: Socket| {
        socket.tell(COMPLETE).unwrap();
        hear(&mut socket, PERMISSION);
    };
    let after_half_a_report = |mut socket: Socket| {
        socket.tell(COMPLETE).unwrap();
        hear(&mut socket, PERMISSION);
        socket.tell(REPORT).unwrap();
    };
    let after_a_failure_without_permission = |mut socket: Socket| {
        socket.tell(COMPLETE).unwrap();
        hear(&mut socket, PERMISSION);
        socket.tell(REPORT).unwrap();
        socket.tell(&[1]).unwrap();
    };
    let deaths: [fn(Socket); 3] = [after_permission, after_half_a_report, after_a_failure_without_permission];
    for death in deaths {
        let (result, guest) = source(&Abort::new(), death);
        assert!(matches!(result, Err(hand_over::Error::Undecided(_))), "{result:?}");
        assert_eq!(guest, GIVEN);
    }
}

#[test]
fn a_source_that_dies_before_its_permission_is_not_taken_over() {
    let (result, started) = target(Ok(()), |mut socket| hear(&mut socket, COMPLETE));
    assert!(matches!(result, Err(take_over::Error::NotGiven(_))));
    assert!(!started);
}

#[test]
fn a_target_that_does_not_know_leaves_it_undecided_and_held() {
    let (result, guest) = source(&Abort::new(), |mut socket| {
        let unknown = take_over(&mut socket, || Err(NotStarted::Unknown("xl is gone".into())));
        assert!(matches!(unknown, Err(take_over::Error::Unknown(_))));
    });
    assert!(matches!(result, Err(hand_over::Error::Undecided(_))), "{result:?}");
    assert_eq!(guest, GIVEN);
}

#[test]
fn a_source_that_dies_after_its_permission_is_not_told() {
    let (result, started) = target(Ok(()), |mut socket| {
        hear(&mut socket, COMPLETE);
        socket.tell(PERMISSION).unwrap();
    });
    // Both messages may still fit into the socket's buffer: then nobody notices on this side.
    assert!(matches!(result, Ok(()) | Err(take_over::Error::Unheard(_))));
    assert!(started);
}
