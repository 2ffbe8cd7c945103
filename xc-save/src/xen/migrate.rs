//! A domain to another host, by `xl migrate` with us as its transport.
//!
//! ```text
//! xl migrate                      we                        the target
//!   | <----- ready ---------------- | <----- ready ------------ |
//!   | ------ stream --------------> | ------ stream ----------> |
//!   |                               | <----- received --------- |
//!   | <----- received ------------- |  decided: no way back     |
//!   |  renames the domain           |                           |
//!   | ------ it is yours ---------> | ------ it is yours -----> |
//!   |                               | <----- results, 0 ------- |
//!   | <----- results, 0 ----------- |                           |
//!   |  destroys the domain          |                           |
//! ```
//!
//! Wherever this ends early, `xl` loses its transport and acts as it always does: before it renamed the domain it
//! resumes it, afterwards it leaves it suspended.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use engine::BoxError;
use ffi::link::{ReceiveLink, SendLink, forward};
use ffi::xl::{DOOR_FD, Ends, TRANSPORT, transport};
use stream::xl::Header;
use stream::xl::handshake::{COMPLETE, PERMISSION, READY, REPORT, STATUS_RUNNING};
use stream::{Fault, Input};

use super::{Attached, attended, subcommand};
use crate::control::Register;
use crate::hand_over::{Departing, Dialogue, expect};
use crate::run::Run;
use crate::{Error, envelope, places};

/// How long `xl` may take to rename the domain.
const RENAME_WITHIN: Duration = Duration::from_secs(60);
/// Any status but [`STATUS_RUNNING`].
const STATUS_FAILED: u8 = 1;

/// Migrates it over a link at whose other end a receiver is ready.
pub(super) fn migrate(run: &mut Run<'_>, domain: &Attached, mut link: SendLink) -> Result<String, Error> {
    let (door, theirs) = UnixStream::pair().map_err(Error::Front)?;
    let mut args = subcommand(run.job, "migrate");
    if let Some(config) = &run.job.config {
        args.extend(["-C".into(), config.into()]);
    }
    if run.job.verify {
        args.push("--debug".into());
    }
    args.extend(["-s", "", &domain.id(), TRANSPORT].map(Into::into));
    let ends = Ends { inherited: Some((theirs.into(), DOOR_FD)), ..Ends::default() };
    let away = attended(run, domain, &args, ends, |run| carry(run, door, &mut link))?;
    if !away {
        return Err(Error::NotSent);
    }
    match domain.now() {
        Ok(None) => Ok(places::given(run.job)),
        Ok(Some(_)) => Err(Error::Aftermath("ended", "`xl` has not destroyed it".into())),
        Err(cause) => Err(Error::Aftermath("looked for", cause.into())),
    }
}

/// Carries stream and dialogue between `xl` and the target; `false` when `xl` ends its stream early.
fn carry(run: &mut Run<'_>, door: UnixStream, link: &mut SendLink) -> Result<bool, Error> {
    let mut xl = transport(door, &run.abort)?;
    xl.reply(READY).map_err(|cause| run.heard(Error::Send(cause)))?;
    let Some(opening) = opening(&mut xl).map_err(|cause| run.heard(Error::Envelope(cause)))? else {
        return Ok(false);
    };
    link.tell(&opening).map_err(|cause| run.heard(Error::Send(cause)))?;
    if !forward(&mut xl, link).map_err(|cause| run.heard(Error::Send(cause)))? {
        return Ok(false);
    }
    let mut passing = Passing { xl: &mut xl, register: run.register.as_ref() };
    run.running = Some(run.hand_over(link, &mut passing)?);
    // When `xl` does not hear it, the domain stays on the list, and that is seen.
    let _ = xl.tell(REPORT).and_then(|()| xl.tell(&[STATUS_RUNNING]));
    Ok(true)
}

/// What comes before libxl's records; `None` when `xl` ends its stream before.
fn opening(xl: &mut ReceiveLink) -> Result<Option<Vec<u8>>, stream::Error> {
    let mut input = Input::new(xl);
    match Header::read(&mut input).and_then(|header| envelope::opening(&header, &mut input)) {
        Err(error) if matches!(error.fault, Fault::Truncated { .. }) => Ok(None),
        opening => opening.map(Some),
    }
}

/// The domain, in the hands of `xl`.
struct Passing<'a> {
    xl: &'a mut ReceiveLink,
    register: Option<&'a Register>,
}

impl Departing for Passing<'_> {
    fn give_away(&mut self) -> Result<(), BoxError> {
        if self.register.is_some_and(|register| !register.decide()) {
            return Err("it was cancelled in the last moment".into());
        }
        self.xl.ignore_abort();
        self.xl.tell(COMPLETE)?;
        Ok(expect(self.xl, PERMISSION, RENAME_WITHIN)?)
    }

    /// `xl` resumes it when it hears this; that it runs is seen afterwards.
    fn take_back(&mut self) -> Result<(), BoxError> {
        self.xl.tell(REPORT)?;
        self.xl.tell(&[STATUS_FAILED])?;
        Ok(self.xl.tell(PERMISSION)?)
    }
}
