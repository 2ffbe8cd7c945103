//! Suspending and resuming a PV or PVH guest without libxl, by its node in xenstore.
//!
//! The node is the guest's own: it clears the request when it begins to suspend. Linux has no event channel for this,
//! which libxl would use where there is one.

use std::thread;
use std::time::{Duration, Instant};

use engine::{Abort, BoxError, Toolstack};

use super::Error;
use super::domain::Domain;
use super::store::Store;

/// How long a guest may take to begin, and from there to stop: as libxl.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look, for half of this is added to the downtime. A look is two calls.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What the guest is asked.
const REQUEST: &str = "suspend";

/// Suspends and resumes a guest where libxl does not.
#[derive(Debug)]
pub struct XenToolstack {
    domain: Domain,
    store: Store,
    node: String,
    abort: Abort,
}

impl XenToolstack {
    /// The toolstack of an existing domain. Raising `abort` takes a request back that the guest has not seen yet.
    ///
    /// # Errors
    /// When there is no Xen, no xenstored or no such domain, or when the domain has a device model.
    pub fn open(domid: u32, abort: &Abort) -> Result<Self, Error> {
        let node = format!("/local/domain/{domid}/control/shutdown");
        let domain = Domain::open(domid)?;
        domain.refuse_device_model()?;
        Ok(Self { domain, store: Store::open()?, node, abort: abort.clone() })
    }

    /// Waits until the guest has suspended.
    fn await_suspend(&self) -> Result<(), Error> {
        let (mut seen, mut deadline) = (false, Instant::now() + PATIENCE);
        loop {
            let info = self.domain.info()?;
            match info.shutdown {
                Some(_) if info.is_suspended() => return Ok(()),
                Some(reason) => return Err(self.domain.fault(format!("it shut down (reason {reason})"))),
                None => {}
            }
            if !seen && self.store.read(&self.node)?.as_deref() != Some(REQUEST) {
                (seen, deadline) = (true, Instant::now() + PATIENCE);
            }
            if let Some(fault) = self.impatience(seen, deadline) {
                return Err(self.domain.fault(fault));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Why not to wait any longer. A guest that has begun is not left alone: it would stop behind our back.
    fn impatience(&self, seen: bool, deadline: Instant) -> Option<String> {
        let late = Instant::now() >= deadline;
        match (seen, self.abort.reason()) {
            (false, Some(reason)) => Some(format!("not suspended: {reason}")),
            (false, None) if late => {
                Some(format!("it took no notice of the request to suspend for {} s", PATIENCE.as_secs()))
            }
            (true, _) if late => {
                Some(format!("it began to suspend and did not stop for {} s", PATIENCE.as_secs()))
            }
            _ => None,
        }
    }
}

impl Toolstack for XenToolstack {
    fn suspend(&mut self) -> Result<Option<Duration>, BoxError> {
        self.store.write(&self.node, REQUEST)?;
        let done = self.await_suspend();
        if done.is_err() {
            // Taken back. A guest takes the request in a transaction, so it sees this or has begun.
            self.store.write(&self.node, "")?;
        }
        done?;
        Ok(None)
    }

    fn resume(&mut self) -> Result<(), BoxError> {
        if self.domain.info()?.is_suspended() {
            self.domain.resume()?;
            Store::announce_resume(self.domain.domid())?;
        }
        Ok(())
    }
}
