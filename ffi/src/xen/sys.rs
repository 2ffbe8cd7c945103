//! The raw calls: xenctrl-sys, our own bindings of `xenforeignmemory.h`, and what no public header declares.

pub(super) use xenctrl_sys::*;

#[expect(unreachable_pub, reason = "generated from C headers")]
mod foreign_memory {
    use xenctrl_sys::{domid_t, xen_pfn_t, xenforeignmemory_handle, xentoollog_logger};

    include!(concat!(env!("OUT_DIR"), "/xen.rs"));
}

pub(super) use foreign_memory::*;

/// Xen's own memory, as a foreign domain (`xen.h`; bindgen drops function-like macros).
pub(super) const DOMID_XEN: u32 = 0x7ff2;

unsafe extern "C" {
    /// Replaces each frame number by the type of that page, `XEN_DOMCTL_PFINFO_*`. Exported by libxenctrl, its
    /// prototype is in a private header.
    pub(super) fn xc_get_pfn_type_batch(
        xch: *mut xc_interface,
        domid: u32,
        num: u32,
        frames: *mut xen_pfn_t,
    ) -> std::ffi::c_int;
}
