//! What a run holds of the source, and how it gives it back.

use std::time::Duration;

use crate::{BoxError, DirtyTracker, PfnSet, Toolstack, domain::Harvest};

/// The source's tracker and toolstack, with what was switched on. Dropping it undoes all of it.
pub(crate) struct Held<'a> {
    tracker: &'a mut dyn DirtyTracker,
    toolstack: &'a mut dyn Toolstack,
    tracking: bool,
    device_log: bool,
    suspended: bool,
}

impl<'a> Held<'a> {
    pub(crate) fn new(tracker: &'a mut dyn DirtyTracker, toolstack: &'a mut dyn Toolstack) -> Self {
        Self { tracker, toolstack, tracking: false, device_log: false, suspended: false }
    }

    /// Switches log-dirty on, for the guest and for its devices.
    pub(crate) fn start_tracking(&mut self) -> Result<(), BoxError> {
        self.tracker.start()?;
        self.tracking = true;
        self.toolstack.log_device_writes(true)?;
        self.device_log = true;
        Ok(())
    }

    /// Switches log-dirty off.
    pub(crate) fn stop_tracking(&mut self) -> Result<(), BoxError> {
        let guest = if self.tracking { self.tracker.stop() } else { Ok(()) };
        self.tracking &= guest.is_err();
        let devices = if self.device_log { self.toolstack.log_device_writes(false) } else { Ok(()) };
        self.device_log &= devices.is_err();
        guest.and(devices)
    }

    /// What suspending the guest would take; nothing where that cannot be told.
    pub(crate) fn suspend_cost(&mut self) -> Result<Duration, BoxError> {
        Ok(self.toolstack.suspend_cost()?.unwrap_or_default())
    }

    pub(crate) fn suspend(&mut self) -> Result<Option<Duration>, BoxError> {
        // Before the call: a suspend that failed half-way is undone as well.
        self.suspended = true;
        self.toolstack.suspend()
    }

    pub(crate) fn harvest(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        let when = if self.suspended { Harvest::Final } else { Harvest::Live };
        self.tracker.harvest(into, when)
    }

    pub(crate) fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        self.tracker.peek(into)
    }

    /// The save is complete: the source stays suspended.
    pub(crate) fn keep_suspended(&mut self) {
        self.suspended = false;
    }

    /// Makes the source run as before. The guest first: every moment that it stands still counts.
    pub(crate) fn undo(&mut self) -> Result<(), BoxError> {
        let resumed = if self.suspended { self.toolstack.resume() } else { Ok(()) };
        self.suspended &= resumed.is_err();
        let untracked = self.stop_tracking();
        resumed.and(untracked)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Only a panic gets here with something left to undo; every other path has undone it and told.
        let _ = self.undo();
    }
}
