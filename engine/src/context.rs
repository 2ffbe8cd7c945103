//! What both loops run in.

use std::fmt;

use crate::{Abort, Clock, Error, Event, Observer};

/// The clock, the audience and the way to stop a run.
pub struct Context<'a> {
    /// Wall or virtual time.
    pub clock: &'a dyn Clock,
    /// Who hears what happens.
    pub observer: &'a mut dyn Observer,
    /// Raised to stop the run; the link should hold a clone, so that it does not wait for ever.
    pub abort: &'a Abort,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.clock.now()).field("abort", self.abort).finish()
    }
}

impl Context<'_> {
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        self.observer.event(self.clock.now(), event);
    }

    pub(crate) fn check_abort(&self) -> Result<(), Error> {
        self.abort.reason().map_or(Ok(()), |reason| Err(Error::Aborted(reason.into())))
    }
}
