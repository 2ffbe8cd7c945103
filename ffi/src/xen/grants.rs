//! The two grants that a guest has from its birth: its console ring and its xenstore ring.

use std::sync::Arc;

use super::foreign::Foreign;
use super::target::Backend;
use super::{Error, sys};

/// What a ring is granted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) backend: Backend,
    /// The ring's frame; a guest may lack the ring.
    pub(super) frame: Option<u64>,
}

/// Grants the rings to their backends: `xenstored` and `xenconsoled` map them so.
pub(super) fn seed(foreign: &Arc<Foreign>, domid: u32, console: Ring, store: Ring) -> Result<(), Error> {
    let mut table = foreign.map_grant_table(domid)?;
    let entries = [(sys::GNTTAB_RESERVED_CONSOLE, console), (sys::GNTTAB_RESERVED_XENSTORE, store)];
    for (entry, ring) in entries {
        // A domain that is its own backend needs no grant.
        let (Some(frame), false) = (ring.frame, u32::from(ring.backend.domid) == domid) else { continue };
        let frame = u32::try_from(frame).map_err(|_| Error::Guest {
            domid,
            fault: format!("its ring is at frame {frame:#x}, too high for a grant"),
        })?;
        table.permit(entry, ring.backend.domid, frame);
    }
    Ok(())
}
