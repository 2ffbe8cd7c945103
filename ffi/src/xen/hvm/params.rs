//! HVM parameters.

use stream::Pfn;
use stream::libxc::HvmParam;

use crate::xen::domain::Domain;
use crate::xen::{Error, sys};

/// The parameters that travel, in upstream's order. What is not here is set by the guest when it resumes, or by the
/// toolstack when it creates the domain.
const SENT: [u32; 16] = [
    sys::HVM_PARAM_STORE_PFN,
    sys::HVM_PARAM_IOREQ_PFN,
    sys::HVM_PARAM_BUFIOREQ_PFN,
    sys::HVM_PARAM_PAGING_RING_PFN,
    sys::HVM_PARAM_MONITOR_RING_PFN,
    sys::HVM_PARAM_SHARING_RING_PFN,
    sys::HVM_PARAM_VM86_TSS_SIZED,
    sys::HVM_PARAM_CONSOLE_PFN,
    sys::HVM_PARAM_ACPI_IOPORTS_LOCATION,
    sys::HVM_PARAM_VIRIDIAN,
    sys::HVM_PARAM_IDENT_PT,
    sys::HVM_PARAM_VM_GENERATION_ID_ADDR,
    sys::HVM_PARAM_IOREQ_SERVER_PFN,
    sys::HVM_PARAM_NR_IOREQ_SERVER_PAGES,
    sys::HVM_PARAM_X87_FIP_WIDTH,
    sys::HVM_PARAM_MCA_CAP,
];

impl Domain {
    /// The parameters that travel and are set.
    pub(in crate::xen) fn hvm_params(&self) -> Result<Vec<HvmParam>, Error> {
        let mut params = Vec::new();
        for index in SENT {
            let value = self.hvm_param(index)?;
            if value != 0 {
                params.push(HvmParam { index: index.into(), value });
            }
        }
        Ok(params)
    }

    /// The pages of the guest's rings, of those that it has.
    pub(in crate::xen) fn hvm_rings(&self) -> Result<Vec<Pfn>, Error> {
        let rings = [sys::HVM_PARAM_STORE_PFN, sys::HVM_PARAM_CONSOLE_PFN];
        let rings = rings.into_iter().map(|index| self.hvm_param(index)).collect::<Result<Vec<_>, _>>()?;
        Ok(rings.into_iter().filter(|&pfn| pfn != 0).map(Pfn).collect())
    }

    /// One parameter.
    pub(in crate::xen) fn hvm_param(&self, index: u32) -> Result<u64, Error> {
        let mut value = 0;
        // SAFETY: one number to fill.
        let rc = unsafe { sys::xc_hvm_param_get(self.raw(), self.domid, index, &raw mut value) };
        self.check("xc_hvm_param_get", rc)?;
        Ok(value)
    }

    /// Sets one parameter. Xen refuses a second, different value of some.
    pub(in crate::xen) fn set_hvm_param(&self, index: u32, value: u64) -> Result<(), Error> {
        // SAFETY: numbers only.
        let rc = unsafe { sys::xc_hvm_param_set(self.raw(), self.domid, index, value) };
        self.check("xc_hvm_param_set", rc)
    }
}
