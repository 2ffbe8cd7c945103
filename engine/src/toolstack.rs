//! Who may stop and start the guest.

use std::time::Duration;

use crate::BoxError;

/// Suspends and resumes the source domain, and tells its devices to log their writes.
pub trait Toolstack {
    /// Suspends the guest; on `Ok` it has stopped running, and this is how long ago by its own word, if it has one.
    ///
    /// # Errors
    /// When the guest did not stop; then it still runs.
    fn suspend(&mut self) -> Result<Option<Duration>, BoxError>;

    /// Lets a suspended guest run again; harmless when it runs.
    ///
    /// # Errors
    /// When it could not be resumed.
    fn resume(&mut self) -> Result<(), BoxError>;

    /// How long suspending the guest would take, as far as that can be measured while it runs (it may stand still for
    /// about as long); the default cannot tell.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    fn suspend_cost(&mut self) -> Result<Option<Duration>, BoxError> {
        Ok(None)
    }

    /// Switches the device models' own log-dirty (Xen HVM); the default has no devices.
    ///
    /// # Errors
    /// When a device model refuses.
    fn log_device_writes(&mut self, on: bool) -> Result<(), BoxError> {
        let _ = on;
        Ok(())
    }
}
