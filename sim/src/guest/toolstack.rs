//! Who suspends and resumes the guest.

use std::time::Duration;

use engine::{BoxError, Clock, Toolstack};

use super::SimGuest;
use crate::{FaultPoint, SimError};

/// The guest's toolstack. Its calls take no time, but for the suspend.
#[derive(Debug)]
pub struct SimToolstack(SimGuest);

impl SimToolstack {
    pub(super) fn new(guest: SimGuest) -> Self {
        Self(guest)
    }
}

impl Toolstack for SimToolstack {
    fn suspend(&mut self) -> Result<Option<Duration>, BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Suspend)?;
        if !state.is_running() {
            return Err(SimError::bug("suspended a suspended guest").into());
        }
        state.clock.advance(state.suspend_takes);
        state.run();
        state.suspended_at = Some(state.clock.now());
        Ok(Some(Duration::ZERO))
    }

    fn resume(&mut self) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::Resume)?;
        if let Some(since) = state.suspended_at.take() {
            let suspended = state.clock.now().saturating_sub(since);
            state.idle += suspended;
        }
        Ok(())
    }

    fn suspend_cost(&mut self) -> Result<Option<Duration>, BoxError> {
        Ok(Some(self.0.look().suspend_takes))
    }

    fn log_device_writes(&mut self, on: bool) -> Result<(), BoxError> {
        let mut state = self.0.look();
        state.faults.call(FaultPoint::LogDeviceWrites)?;
        state.logging_device_writes = on;
        Ok(())
    }
}
