//! The guest's log-dirty.

use std::time::Duration;

use engine::{BoxError, DirtyTracker, Harvest, PfnSet};

use super::{SimGuest, State};
use crate::{FaultPoint, SimError};

/// The guest's log-dirty.
#[derive(Debug)]
pub struct SimTracker(SimGuest);

impl SimTracker {
    pub(super) fn new(guest: SimGuest) -> Self {
        Self(guest)
    }
}

impl DirtyTracker for SimTracker {
    fn start(&mut self) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Start)?;
        if state.dirty.is_some() {
            return Err(SimError::bug("log-dirty started twice").into());
        }
        state.dirty = Some(PfnSet::empty(state.pages.len() as u64));
        Ok(())
    }

    fn harvest(&mut self, into: &mut PfnSet, when: Harvest) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Harvest)?;
        if when == Harvest::Final && state.is_running() {
            return Err(SimError::bug("final harvest of a running guest").into());
        }
        let half = state.harvest_takes / 2;
        // Page by page over that time: on average a page is looked at in the middle of it.
        state.pass(half);
        let dirty = state.dirty()?;
        into.union(dirty);
        dirty.clear();
        state.pass(half);
        Ok(())
    }

    fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Peek)?;
        into.union(state.dirty()?);
        let takes = state.peek_takes;
        state.pass(takes);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Stop)?;
        state.dirty = None;
        Ok(())
    }
}

impl State {
    /// Lets time pass in which the guest goes on.
    fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.run();
    }

    fn dirty(&mut self) -> Result<&mut PfnSet, SimError> {
        self.dirty.as_mut().ok_or_else(|| SimError::bug("asked for dirty pages without log-dirty"))
    }
}
