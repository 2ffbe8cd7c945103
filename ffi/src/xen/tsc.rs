//! The guest's time stamp counter.

use stream::libxc::TscInfo;

use super::domain::Domain;
use super::{Error, sys};

impl Domain {
    /// What the guest's TSC is.
    pub(super) fn tsc_info(&self) -> Result<TscInfo, Error> {
        let mut tsc = TscInfo::default();
        // SAFETY: four numbers to fill.
        let rc = unsafe {
            sys::xc_domain_get_tsc_info(
                self.raw(),
                self.domid,
                &raw mut tsc.mode,
                &raw mut tsc.nsec,
                &raw mut tsc.khz,
                &raw mut tsc.incarnation,
            )
        };
        self.check("xc_domain_get_tsc_info", rc)?;
        Ok(tsc)
    }

    /// Makes the guest's TSC go on from here.
    pub(super) fn set_tsc_info(&self, tsc: TscInfo) -> Result<(), Error> {
        // SAFETY: numbers only.
        let rc = unsafe {
            sys::xc_domain_set_tsc_info(self.raw(), self.domid, tsc.mode, tsc.nsec, tsc.khz, tsc.incarnation)
        };
        self.check("xc_domain_set_tsc_info", rc)
    }
}
