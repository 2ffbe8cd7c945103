//! The target's half of a hand-over; the source's half and the words are in [`xc_save::hand_over`].

use std::io;
use std::time::Duration;

use engine::BoxError;
use ffi::scheduler::be_prompt;
use stream::xl::handshake::{COMPLETE, PERMISSION, REPORT, STATUS_RUNNING};
use xc_save::hand_over::{Dialogue, expect};

/// How long the source may take to decide.
const DECIDE_WITHIN: Duration = Duration::from_secs(60);
/// The status byte of a guest that could not be started (xl sends the number of an error here).
const STATUS_FAILED: u8 = 1;

/// Why the guest does not run here, or who does not know that it does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source did not hand the guest over, so it is discarded here.
    #[error("the source did not hand the guest over")]
    NotGiven(#[source] io::Error),
    /// It was ours and could not be started; the source may have it back.
    #[error("cannot start the guest, so the source gets it back")]
    NotStarted(#[source] BoxError),
    /// It was ours, and whether it runs is not known; the source keeps it, and asks.
    #[error("it is not known whether the guest was started")]
    Unknown(#[source] BoxError),
    /// It runs here, but the source could not be told.
    #[error("the guest runs here, but the source could not be told")]
    Unheard(#[source] io::Error),
}

/// Why a guest that is ours could not be started.
#[derive(Debug)]
pub enum NotStarted {
    /// Nothing of it is left here.
    Discarded(BoxError),
    /// It may run, or not.
    Unknown(BoxError),
}

/// Asks for the guest and starts it with `start`.
///
/// # Errors
/// Says with whom the guest is: see each [`enum@Error`].
pub fn take_over(
    link: &mut impl Dialogue,
    start: impl FnOnce() -> Result<(), NotStarted>,
) -> Result<(), Error> {
    let _prompt = be_prompt();
    link.tell(COMPLETE).map_err(Error::NotGiven)?;
    expect(link, PERMISSION, DECIDE_WITHIN).map_err(Error::NotGiven)?;
    link.ignore_abort();
    match start() {
        Ok(()) => report(link, STATUS_RUNNING).map_err(Error::Unheard),
        Err(NotStarted::Unknown(cause)) => Err(Error::Unknown(cause)),
        Err(NotStarted::Discarded(cause)) => {
            // If this is not heard either, the source keeps the guest and asks its administrator.
            let _ = report(link, STATUS_FAILED).and_then(|()| link.tell(PERMISSION));
            Err(Error::NotStarted(cause))
        }
    }
}

fn report(link: &mut impl Dialogue, status: u8) -> io::Result<()> {
    // At once: the source counts the guest's downtime until it has read the last byte.
    link.tell(&[REPORT, &[status]].concat())
}
