//! The further lanes of a restore, each in a thread of its own.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::Duration;

use stream::Input;
use stream::libxc::{Limits, Reader, StreamUse};

use super::failure::unless_aborted;
use super::pages::{Common, Pages, Received};
use crate::{Abort, Error, TargetMemory};

/// How long the wish to abort may go unseen while the lanes are waited for.
const TICK: Duration = Duration::from_millis(50);

/// Why lanes are stopped.
const STOP: &str = "the restore is over";

/// A further stream, of pages alone, beside the one that has all else.
#[derive(Debug)]
pub struct Lane<R> {
    /// From where it comes.
    pub input: Input<R>,
    /// Ends every wait of `input`. Nobody else uses it: the lanes of a restore that fails are stopped with it.
    pub stop: Abort,
}

/// The threads that receive by the further lanes. Dropping this stops them.
pub(super) struct Receivers {
    stops: Vec<Abort>,
    ends: Receiver<Result<Received, Error>>,
}

impl Receivers {
    /// Starts a thread for each lane, which writes to its own handle of the guest's memory.
    pub(super) fn start<'scope, R: Read + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        lanes: Vec<(Lane<R>, Box<dyn TargetMemory + Send>)>,
        common: Common<'scope>,
    ) -> Self {
        let (end, ends) = channel();
        let stops = lanes.iter().map(|(lane, _)| lane.stop.clone()).collect();
        for (number, (lane, memory)) in (1..).zip(lanes) {
            let end = end.clone();
            scope.spawn(move || report(&end, receive(number, lane, memory, common)));
        }
        Self { stops, ends }
    }

    /// Waits until all have received all, and adds it.
    pub(super) fn finish(self, received: &mut Received, abort: &Abort) -> Result<(), Error> {
        for _ in &self.stops {
            received.add(&self.next(abort)?);
        }
        Ok(())
    }

    fn next(&self, abort: &Abort) -> Result<Received, Error> {
        loop {
            match self.ends.recv_timeout(TICK) {
                Ok(end) => return end,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Aborted(STOP.into())),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(reason) = abort.reason() {
                        return Err(Error::Aborted(reason.into()));
                    }
                }
            }
        }
    }

    /// The error of a lane that failed before the first stream did: that one then only saw its end.
    pub(super) fn failure(&self) -> Option<Error> {
        self.ends.try_iter().find_map(Result::err)
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.stops.iter().for_each(|stop| stop.raise(STOP));
    }
}

fn report(end: &Sender<Result<Received, Error>>, result: Result<Received, Error>) {
    // Nobody waits for it any more when the restore has failed.
    let _ = end.send(result);
}

fn receive<R: Read>(
    number: usize,
    lane: Lane<R>,
    mut memory: Box<dyn TargetMemory + Send>,
    common: Common<'_>,
) -> Result<Received, Error> {
    let Lane { input, stop } = lane;
    let first_byte = input.offset();
    let limits = Limits { stream_use: StreamUse::Lane, ..Limits::default() };
    let limits = Limits { pfn_limit: common.pfn_limit.min(limits.pfn_limit), ..limits };
    let mut reader = Reader::new(input, limits).map_err(|cause| unless_aborted(&stop, cause))?;
    let mut pages = Pages::of_lane(number, common, &stop);
    // The order of a lane's stream lets no other record pass.
    pages.receive(&mut reader, &mut *memory, |_, _| Ok(()))?;
    Ok(pages.received(reader.offset() - first_byte))
}
