//! Who may ask the guest for what, and what becomes of it when the controller goes.

use std::thread;
use std::time::{Duration, Instant};

use ffi::host::protocol::{Reply, Request, Status};

use super::machine::{Control, Machine};
use crate::Error;

/// How long a request waits for the controller to go. One whose process has just ended may not be noticed yet, and
/// whoever waited for that end rightly takes the guest for free.
const GRACE: Duration = Duration::from_secs(1);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(5);

/// What the process does behind a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It goes on.
    Go,
    /// It lets the guest run. The word that it does is out by then: threads that run would hold it up.
    Start,
    /// It ends.
    End,
}

impl Machine {
    /// Does what connection number `from` asks for.
    pub(super) fn handle(&self, from: u64, request: &Request) -> (Reply, After) {
        let deadline = Instant::now() + GRACE;
        let answer = loop {
            match self.answer(from, request) {
                Err(Error::Busy) if Instant::now() < deadline => thread::sleep(LOOK),
                answer => break answer,
            }
        };
        self.wake_balloon();
        match answer {
            Ok(Reply::Done) if self.has_ended() => (Reply::Done, After::End),
            Ok(reply) if matches!(request, Request::Start { .. }) => (reply, After::Start),
            Ok(reply) => (reply, After::Go),
            Err(e) => (Reply::Refused { reason: e.chain() }, After::Go),
        }
    }

    fn answer(&self, from: u64, request: &Request) -> Result<Reply, Error> {
        let mut control = self.lock();
        match request {
            Request::Info => Ok(Reply::Info(self.info(&control))),
            Request::Hash => Ok(Reply::Hash(self.hash(&control))),
            Request::Balloon { .. } | Request::Stop | Request::Pause | Request::Resume => {
                self.obey_user(&mut control, request)
            }
            Request::Attach => self.attach(&mut control, from),
            _ if control.controller != Some(from) => Err(Error::NotController),
            _ => self.obey_controller(&mut control, request.clone()),
        }
    }

    /// Connection number `from` is gone.
    pub(super) fn hang_up(&self, from: u64) -> After {
        let mut control = self.lock();
        let mut after = After::Go;
        if control.controller == Some(from) {
            if control.status() == Status::Incoming {
                control.end();
                after = After::End;
            }
            control.release();
        }
        drop(control);
        self.wake_balloon();
        after
    }

    fn obey_user(&self, control: &mut Control, request: &Request) -> Result<Reply, Error> {
        let status = control.status();
        match *request {
            Request::Stop if control.controller.is_some() => return Err(Error::Busy),
            Request::Stop => control.end(),
            Request::Balloon { pages } => match status {
                Status::Incoming | Status::GivenAway => return Err(Error::Status(status)),
                Status::Running | Status::Paused | Status::Suspended => self.set_balloon(control, pages)?,
            },
            Request::Pause => match status {
                // A suspended guest is then paused when it is unsuspended.
                Status::Running | Status::Paused | Status::Suspended => self.pause(control),
                Status::GivenAway | Status::Incoming => {
                    return Err(Error::Status(status));
                }
            },
            _ => match status {
                Status::Running | Status::Paused => control.unpause(),
                Status::GivenAway if control.controller.is_none() => self.take_back(control)?,
                Status::Suspended | Status::GivenAway | Status::Incoming => return Err(Error::Busy),
            },
        }
        Ok(Reply::Done)
    }

    fn attach(&self, control: &mut Control, from: u64) -> Result<Reply, Error> {
        if control.controller.is_some() {
            return Err(Error::Busy);
        }
        match control.status() {
            status @ (Status::Incoming | Status::GivenAway) => Err(Error::Status(status)),
            Status::Running | Status::Paused | Status::Suspended => {
                control.controller = Some(from);
                Ok(Reply::Attached(self.attachment()))
            }
        }
    }

    fn obey_controller(&self, control: &mut Control, request: Request) -> Result<Reply, Error> {
        if control.status() == Status::Incoming {
            return self.obey_parent(control, request);
        }
        match request {
            Request::Destroy => control.end(),
            Request::GiveAway => self.give_away(control)?,
            Request::TakeBack => self.take_back(control)?,
            _ if control.status() == Status::GivenAway => return Err(Error::Status(Status::GivenAway)),
            Request::Track { how } => self.track(control, how)?,
            Request::Prove => self.prove(),
            Request::Park { on } => self.park(control, on),
            Request::Suspend => return Ok(Reply::Suspended(self.suspend(control))),
            Request::Unsuspend => control.unsuspend(),
            _ => return Err(Error::Status(control.status())),
        }
        Ok(Reply::Done)
    }

    /// What the process that builds the guest may ask for.
    fn obey_parent(&self, control: &mut Control, request: Request) -> Result<Reply, Error> {
        match request {
            Request::Load { state } => self.load(control, &state)?,
            Request::Start { paused } => {
                self.start(control, paused)?;
                control.controller = None;
            }
            Request::Destroy => control.end(),
            _ => return Err(Error::Status(Status::Incoming)),
        }
        Ok(Reply::Done)
    }
}
