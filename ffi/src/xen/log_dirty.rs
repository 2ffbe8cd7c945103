//! Log-dirty: which pages the guest wrote.

use std::sync::Arc;

use engine::{BoxError, DirtyTracker, Harvest, PfnSet};
use stream::Pfn;

use super::buffer::HypercallBuffer;
use super::domain::Domain;
use super::frame_watch::FrameWatch;
use super::{Error, sys};

/// The log-dirty of one domain (`XEN_DOMCTL_shadow_op`).
#[derive(Debug)]
pub struct XenTracker {
    domain: Domain,
    pages: u64,
    bitmap: HypercallBuffer,
    /// Pages that are sent once more at the end, for they are written by others without being marked.
    always: Vec<Pfn>,
    watch: Arc<FrameWatch>,
    hvm: bool,
    on: bool,
}

impl XenTracker {
    /// Not started; for the pfns below `pages`.
    pub(super) fn open(
        domid: u32,
        pages: u64,
        always: Vec<Pfn>,
        watch: Arc<FrameWatch>,
    ) -> Result<Self, Error> {
        let domain = Domain::open(domid)?;
        let bytes = pages.div_ceil(64) * 8;
        let bytes = usize::try_from(bytes).map_err(|_| domain.fault(format!("{pages:#x} pages")))?;
        let hvm = domain.info()?.hvm;
        Ok(Self { domain, pages, bitmap: HypercallBuffer::new(bytes)?, always, watch, hvm, on: false })
    }

    fn enable(&self) -> Result<(), Error> {
        if self.switch(sys::XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY).is_ok() {
            return Ok(());
        }
        // Somebody left it on: a migration that was killed, or the tracking of a display's memory.
        self.switch(sys::XEN_DOMCTL_SHADOW_OP_OFF).ok();
        self.switch(sys::XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY).map_err(|error| self.name_the_cause(error))
    }

    fn name_the_cause(&self, error: Error) -> Error {
        match &error {
            Error::Call { cause, .. } if cause.raw_os_error() == Some(libc::EOPNOTSUPP) && !self.hvm => {
                Error::NoShadowPaging(self.domain.domid)
            }
            _ => error,
        }
    }

    fn switch(&self, operation: u32) -> Result<(), Error> {
        switch(&self.domain, operation)
    }

    /// Copies the dirty bits out, and with `CLEAN` clears them, which protects the pages again.
    fn collect(&mut self, operation: u32, mode: u32, into: &mut PfnSet) -> Result<(), Error> {
        // SAFETY: the bitmap has a bit for each of `pages`.
        let covered = unsafe { shadow_op(&self.domain, operation, mode, self.bitmap.as_ptr(), self.pages) }?;
        // Xen answers for a dying domain too, with nothing.
        if covered != self.pages || self.domain.info()?.dying {
            let wanted = self.pages;
            return Err(self.domain.fault(format!("log-dirty tells of {covered:#x} pages of {wanted:#x}")));
        }
        for (index, word) in self.bitmap.bytes().as_chunks::<8>().0.iter().enumerate() {
            let bits = u64::from_le_bytes(*word);
            if bits != 0 {
                into.union_word(index, bits);
            }
        }
        Ok(())
    }

    /// A guest that got new frames may have changed any page without marking it dirty; not so a PV guest, for it
    /// changes its frames by calls that mark them.
    fn add_grown(&self, into: &mut PfnSet, when: Harvest) -> Result<(), Error> {
        if !self.hvm {
            return Ok(());
        }
        let tot_pages = self.domain.info()?.tot_pages;
        self.watch.look(tot_pages);
        if when == Harvest::Final {
            self.look_when_still(tot_pages)?;
        }
        self.watch.add_suspects(into);
        if when != Harvest::Final {
            self.settle(tot_pages)?;
        }
        Ok(())
    }

    /// The guest stands still now: what its pages are is looked at only if it is not known.
    fn look_when_still(&self, tot_pages: u64) -> Result<(), Error> {
        if self.watch.settled().is_none() {
            self.watch.found_still(self.domain.layout(self.pages, tot_pages)?);
        }
        Ok(())
    }

    /// While the guest runs, and once, if it does not balloon: so that it need not be done while it stands.
    fn settle(&self, tot_pages: u64) -> Result<(), Error> {
        if self.watch.may_settle() {
            let layout = self.domain.layout(self.pages, tot_pages)?;
            self.watch.look(self.domain.info()?.tot_pages);
            self.watch.settle(layout, tot_pages);
        }
        Ok(())
    }
}

/// Ends the log-dirty of a domain, whoever started it.
pub(super) fn turn_off(domain: &Domain) -> Result<(), Error> {
    switch(domain, sys::XEN_DOMCTL_SHADOW_OP_OFF)
}

fn switch(domain: &Domain, operation: u32) -> Result<(), Error> {
    // SAFETY: the handle is null.
    unsafe { shadow_op(domain, operation, 0, std::ptr::null_mut(), 0) }.map(|_| ())
}

/// # Safety
/// `bitmap` is null, or a hypercall buffer with room for `pages` bits.
unsafe fn shadow_op(
    domain: &Domain,
    operation: u32,
    mode: u32,
    bitmap: *mut u8,
    pages: u64,
) -> Result<u64, Error> {
    let mut payload = sys::xen_domctl__bindgen_ty_1 { pad: [0; 128] };
    payload.shadow_op = sys::xen_domctl_shadow_op {
        op: operation,
        mode,
        dirty_bitmap: sys::__guest_handle_uint8 { p: bitmap },
        pages,
        ..sys::xen_domctl_shadow_op::default()
    };
    // SAFETY: as the caller says.
    let answer = unsafe { domain.domctl("log-dirty", sys::XEN_DOMCTL_shadow_op, payload)? };
    // SAFETY: Xen answers with the structure that it was given.
    Ok(unsafe { answer.shadow_op.pages })
}

impl DirtyTracker for XenTracker {
    fn start(&mut self) -> Result<(), BoxError> {
        self.enable()?;
        self.on = true;
        self.watch.start(self.domain.info()?.tot_pages);
        Ok(())
    }

    fn harvest(&mut self, into: &mut PfnSet, when: Harvest) -> Result<(), BoxError> {
        // Final adds the pages that Xen itself has mapped to write.
        let mode = if when == Harvest::Final { sys::XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL } else { 0 };
        if when == Harvest::Final {
            self.watch.suspended();
        }
        self.collect(sys::XEN_DOMCTL_SHADOW_OP_CLEAN, mode, into)?;
        if when == Harvest::Final {
            self.always.iter().for_each(|&pfn| {
                into.insert(pfn);
            });
        }
        // Behind the bits: whoever changes from here on does it to a page that is watched.
        Ok(self.add_grown(into, when)?)
    }

    fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        Ok(self.collect(sys::XEN_DOMCTL_SHADOW_OP_PEEK, 0, into)?)
    }

    fn stop(&mut self) -> Result<(), BoxError> {
        if self.on {
            self.switch(sys::XEN_DOMCTL_SHADOW_OP_OFF)?;
            self.on = false;
        }
        Ok(())
    }
}

impl Drop for XenTracker {
    fn drop(&mut self) {
        // Only a panic leaves it on; then there is nobody left to tell of a failure.
        let _ = self.stop();
    }
}
