//! The source's half of a hand-over: who may run the guest, decided over a link that may fail at any moment.
//!
//! The words are xl's own ([`stream::xl::handshake`]):
//!
//! ```text
//! source                                    target
//!   | <------ domain received --------------- |   complete, paused
//!   |  gives the guest away: from here on it   |
//!   |  does not run it again by itself         |
//!   | ------- domain is yours --------------> |
//!   |                                         |   runs the guest
//!   | <------ results, status 0 ------------- |
//!   |  destroys its copy                       |
//! ```
//!
//! At every moment at most one side may run the guest. A link that fails before "domain is yours" is sent leaves
//! it with the source; one that fails after leaves it undecided, held by the source until somebody decides.

use std::io;
use std::time::{Duration, Instant};

use engine::{Abort, BoxError};
use stream::xl::handshake::{COMPLETE, PERMISSION, REPORT, STATUS_RUNNING};
use thiserror::Error;

/// How long a target may take to make the received domain complete.
const COMPLETE_WITHIN: Duration = Duration::from_secs(600);
/// How long a target may take to start the guest once it may.
const START_WITHIN: Duration = Duration::from_secs(60);

/// The suspended guest on the source.
pub trait Departing {
    /// Gives it away: it is kept, but not run again, whatever becomes of this process.
    ///
    /// # Errors
    /// When it could not; the guest is as before.
    fn give_away(&mut self) -> Result<(), BoxError>;

    /// Takes it back and lets it run.
    ///
    /// # Errors
    /// When it could not.
    fn take_back(&mut self) -> Result<(), BoxError>;
}

/// The duplex link to the target.
pub trait Dialogue {
    /// Sends all of `message`.
    ///
    /// # Errors
    /// When the link fails.
    fn tell(&mut self, message: &[u8]) -> io::Result<()>;

    /// Fills `message`.
    ///
    /// # Errors
    /// When the link fails or the deadline passes.
    fn hear(&mut self, message: &mut [u8], deadline: Instant) -> io::Result<()>;

    /// From here on only the deadline and the link itself end a wait.
    fn ignore_abort(&mut self);
}

/// Why the guest is not on the target for certain.
#[derive(Debug, Error)]
pub enum Error {
    /// The guest was not given away: the caller resumes it.
    #[error("the target did not take the domain")]
    NotTaken(#[source] io::Error),
    /// It was to be given away and could not be; the caller resumes it.
    #[error("cannot give the guest away")]
    NotGiven(#[source] BoxError),
    /// An abort came before the guest was given away; the caller resumes it.
    #[error("aborted: {0}")]
    Aborted(String),
    /// The target could not start the guest and has discarded it; it runs on the source again.
    #[error("the target could not start the guest (status {0}) and gave it back")]
    GivenBack(u8),
    /// It is not known whether the target runs the guest.
    #[error("the link failed after the guest was handed over")]
    Undecided(#[source] io::Error),
    /// The target gave the guest back, but it could not be resumed.
    #[error("the target gave the guest back, but it cannot be resumed")]
    NotTakenBack(#[source] BoxError),
}

/// Hands the suspended guest over. On `Ok` the target runs it, and the copy may be destroyed.
///
/// # Errors
/// Says with whom the guest is: see each [`enum@Error`].
pub fn hand_over(link: &mut impl Dialogue, guest: &mut impl Departing, abort: &Abort) -> Result<(), Error> {
    expect(link, COMPLETE, COMPLETE_WITHIN).map_err(|cause| match abort.reason() {
        Some(reason) => Error::Aborted(reason.into()),
        None => Error::NotTaken(cause),
    })?;
    if let Some(reason) = abort.reason() {
        return Err(Error::Aborted(reason.into()));
    }
    guest.give_away().map_err(Error::NotGiven)?;
    link.ignore_abort();
    match start(link).map_err(Error::Undecided)? {
        STATUS_RUNNING => Ok(()),
        status => {
            expect(link, PERMISSION, START_WITHIN).map_err(Error::Undecided)?;
            guest.take_back().map_err(Error::NotTakenBack)?;
            Err(Error::GivenBack(status))
        }
    }
}

/// Lets the target start the guest; returns its status.
fn start(link: &mut impl Dialogue) -> io::Result<u8> {
    link.tell(PERMISSION)?;
    expect(link, REPORT, START_WITHIN)?;
    let mut status = [0];
    link.hear(&mut status, Instant::now() + START_WITHIN)?;
    Ok(status[0])
}

/// Waits for exactly this message.
///
/// # Errors
/// When the link fails, or says something else.
pub fn expect(link: &mut impl Dialogue, message: &[u8], within: Duration) -> io::Result<()> {
    let mut heard = vec![0; message.len()];
    link.hear(&mut heard, Instant::now() + within)?;
    if heard == message {
        return Ok(());
    }
    let text = |bytes| String::from_utf8_lossy(bytes).trim_end_matches(['\0', '\n']).to_owned();
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it said {:?}, {:?} expected", text(&heard), text(message)),
    ))
}
