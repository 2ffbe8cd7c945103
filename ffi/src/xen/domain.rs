//! One domain: what it is, and the way to call Xen about it.

use std::ffi::c_int;
use std::io;

use super::handle::Xen;
use super::{Error, sys};

/// A domain and a connection of its own to the hypervisor.
#[derive(Debug)]
pub struct Domain {
    pub(super) xen: Xen,
    pub(super) domid: u32,
}

/// What Xen says about a domain.
#[derive(Clone, Copy, Debug)]
pub struct DomainInfo {
    /// HVM or PVH, as opposed to PV.
    pub hvm: bool,
    /// HVM, not PVH: a process beside Xen, its device model, is part of it and has state of its own.
    pub device_model: bool,
    /// Somebody paused it.
    pub paused: bool,
    /// How long it has run, in ns.
    pub cpu_time: u64,
    /// Its memory is going away.
    pub dying: bool,
    /// Why it shut down (`SHUTDOWN_*`), if it did.
    pub shutdown: Option<u32>,
    /// Pages that it has, those that only others still map included.
    pub tot_pages: u64,
    /// Pages that it may have.
    pub max_pages: u64,
    /// The machine frame of its shared-info page.
    pub shared_info_frame: u64,
    /// Its highest vCPU number.
    pub max_vcpu_id: u32,
}

impl DomainInfo {
    /// Whether the guest has suspended itself.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.shutdown == Some(sys::SHUTDOWN_suspend)
    }
}

impl Domain {
    /// Connects to an existing domain.
    ///
    /// # Errors
    /// As [`Xen::open`], or [`Error::NoDomain`].
    pub fn open(domid: u32) -> Result<Self, Error> {
        let domain = Self { xen: Xen::open()?, domid };
        domain.info()?;
        Ok(domain)
    }

    /// Its number.
    #[must_use]
    pub fn domid(&self) -> u32 {
        self.domid
    }

    /// What it is now.
    ///
    /// # Errors
    /// When it is gone.
    pub fn info(&self) -> Result<DomainInfo, Error> {
        let mut info = sys::xc_domaininfo_t::default();
        // SAFETY: room for the one entry that is asked for.
        let found = unsafe { sys::xc_domain_getinfolist(self.raw(), self.domid, 1, &raw mut info) };
        self.check("xc_domain_getinfolist", found)?;
        // The call gives the next existing domain when this one does not exist.
        if found != 1 || u32::from(info.domain) != self.domid {
            return Err(Error::NoDomain(self.domid));
        }
        let reason = info.flags >> sys::XEN_DOMINF_shutdownshift & sys::XEN_DOMINF_shutdownmask;
        let hvm = info.flags & sys::XEN_DOMINF_hvm_guest != 0;
        Ok(DomainInfo {
            hvm,
            // Of a PC's devices Xen gives a PVH guest the local APIC alone (`xen_arch_domainconfig`).
            device_model: hvm && info.arch_config.emulation_flags & !sys::XEN_X86_EMU_LAPIC != 0,
            paused: info.flags & sys::XEN_DOMINF_paused != 0,
            cpu_time: info.cpu_time,
            dying: info.flags & sys::XEN_DOMINF_dying != 0,
            shutdown: (info.flags & sys::XEN_DOMINF_shutdown != 0).then_some(reason),
            tot_pages: info.tot_pages,
            max_pages: info.max_pages,
            shared_info_frame: info.shared_info_frame,
            max_vcpu_id: info.max_vcpu_id,
        })
    }

    /// One more than the highest frame number that the guest uses (`XENMEM_maximum_gpfn`).
    pub(super) fn frame_limit(&self) -> Result<u64, Error> {
        let mut limit = 0;
        // SAFETY: one number to fill.
        let rc = unsafe { sys::xc_domain_nr_gpfns(self.raw(), self.domid, &raw mut limit) };
        self.check("xc_domain_nr_gpfns", rc)?;
        Ok(limit)
    }

    pub(super) fn raw(&self) -> *mut sys::xc_interface {
        self.xen.raw()
    }

    /// A call's result; a negative one means that `errno` says why.
    pub(super) fn check(&self, call: &'static str, result: c_int) -> Result<(), Error> {
        if result < 0 { Err(self.failed(call)) } else { Ok(()) }
    }

    /// The error of a call that just failed.
    pub(super) fn failed(&self, call: &'static str) -> Error {
        Error::Call { call, domid: self.domid, cause: io::Error::last_os_error() }
    }

    /// The guest itself is not as it must be.
    pub(super) fn fault(&self, fault: impl Into<String>) -> Error {
        Error::Guest { domid: self.domid, fault: fault.into() }
    }

    /// Refuses a guest that has a device model, for only libxl can stop, save and start that.
    pub(super) fn refuse_device_model(&self) -> Result<(), Error> {
        if self.info()?.device_model {
            return Err(
                self.fault("it is an HVM guest, and its device model can be moved only by xl and libxl")
            );
        }
        Ok(())
    }

    /// The stream is not for this domain.
    pub(super) fn misfit(&self, fault: impl Into<String>) -> Error {
        Error::Misfit { domid: self.domid, fault: fault.into() }
    }

    /// Issues one domctl about this domain.
    ///
    /// # Safety
    /// Every guest handle in `payload` must be null or point to a [`super::buffer::HypercallBuffer`] at least as
    /// large as `payload` says.
    pub(super) unsafe fn domctl(
        &self,
        call: &'static str,
        command: u32,
        payload: sys::xen_domctl__bindgen_ty_1,
    ) -> Result<sys::xen_domctl__bindgen_ty_1, Error> {
        let mut domctl = sys::xen_domctl {
            cmd: command,
            interface_version: sys::XEN_DOMCTL_INTERFACE_VERSION,
            domain: u16::try_from(self.domid).map_err(|_| Error::NoDomain(self.domid))?,
            _pad: [0; 3],
            u: payload,
        };
        // SAFETY: the structure is whole, and the caller answers for the buffers that it names.
        let rc = unsafe { sys::xc_domctl(self.raw(), &raw mut domctl) };
        self.check(call, rc)?;
        Ok(domctl.u)
    }
}
