//! Who may stop and start the guest.

use crate::BoxError;

/// Suspends and resumes the source domain, and tells its devices to log their writes.
pub trait Toolstack {
    /// Suspends the guest; on `Ok` it has stopped running.
    ///
    /// # Errors
    /// When the guest did not stop; then it still runs.
    fn suspend(&mut self) -> Result<(), BoxError>;

    /// Lets a suspended guest run again; harmless when it runs.
    ///
    /// # Errors
    /// When it could not be resumed.
    fn resume(&mut self) -> Result<(), BoxError>;

    /// Switches the device models' own log-dirty (Xen HVM); the default has no devices.
    ///
    /// # Errors
    /// When a device model refuses.
    fn log_device_writes(&mut self, on: bool) -> Result<(), BoxError> {
        let _ = on;
        Ok(())
    }
}
