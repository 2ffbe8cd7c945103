//! The state of an HVM or PVH guest's processors and devices inside Xen, which is opaque to us.

use crate::xen::domain::Domain;
use crate::xen::{Error, sys};

impl Domain {
    /// The context of a suspended guest.
    pub(in crate::xen) fn hvm_context(&self) -> Result<Vec<u8>, Error> {
        let size = self.get_hvm_context(&mut [])?;
        let mut context = vec![0; size];
        let used = self.get_hvm_context(&mut context)?;
        context.truncate(used);
        Ok(context)
    }

    /// Fills `room`; without room, only says how much there is.
    fn get_hvm_context(&self, room: &mut [u8]) -> Result<usize, Error> {
        let size = u32::try_from(room.len()).unwrap_or(u32::MAX);
        let at = if room.is_empty() { std::ptr::null_mut() } else { room.as_mut_ptr() };
        // SAFETY: null, or as much room as we say.
        let used = unsafe { sys::xc_domain_hvm_getcontext(self.raw(), self.domid, at, size) };
        usize::try_from(used).map_err(|_| self.failed("xc_domain_hvm_getcontext"))
    }

    /// Gives a domain that never ran this context.
    pub(in crate::xen) fn set_hvm_context(&self, mut context: Vec<u8>) -> Result<(), Error> {
        let size = u32::try_from(context.len()).map_err(|_| self.misfit("its HVM context is too long"))?;
        // SAFETY: as many bytes as we say; the call only reads them.
        let rc = unsafe { sys::xc_domain_hvm_setcontext(self.raw(), self.domid, context.as_mut_ptr(), size) };
        self.check("xc_domain_hvm_setcontext", rc)
    }
}
