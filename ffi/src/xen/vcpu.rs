//! The processors of a PV guest, as Xen keeps them.

use stream::libxc::VcpuPart;

use super::buffer::HypercallBuffer;
use super::domain::Domain;
use super::{Error, sys};

/// Bytes of a 64-bit guest's `vcpu_guest_context`.
pub(super) const BASIC_LEN: usize = 5168;
/// Bytes of a `xen_domctl_vcpu_msr_t`.
const MSR_LEN: usize = 16;

const _: () = assert!(size_of::<sys::vcpu_guest_context>() == BASIC_LEN);
const _: () = assert!(size_of::<sys::xen_domctl_vcpu_msr>() == MSR_LEN);

impl Domain {
    /// Whether the guest uses this vCPU.
    pub(super) fn vcpu_is_online(&self, vcpu: u32) -> Result<bool, Error> {
        let mut info = sys::xc_vcpuinfo_t::default();
        // SAFETY: one structure to fill.
        let rc = unsafe { sys::xc_vcpu_getinfo(self.raw(), self.domid, vcpu, &raw mut info) };
        self.check("xc_vcpu_getinfo", rc)?;
        Ok(info.online != 0)
    }

    /// One part of the state of a vCPU, with machine frames in it. Empty when there is none.
    pub(super) fn vcpu_part(&self, part: VcpuPart, vcpu: u32) -> Result<Vec<u8>, Error> {
        match part {
            VcpuPart::Basic => self.vcpu_context(vcpu),
            VcpuPart::Extended => self.extended_context(vcpu),
            VcpuPart::Xsave => self.xsave_area(vcpu),
            VcpuPart::Msrs => self.vcpu_msrs(vcpu),
        }
    }

    /// Gives a vCPU that never ran this part of its state.
    pub(super) fn set_vcpu_part(&self, part: VcpuPart, vcpu: u32, blob: &[u8]) -> Result<(), Error> {
        match part {
            VcpuPart::Basic => self.set_vcpu_context(vcpu, blob),
            VcpuPart::Extended => self.set_extended_context(vcpu, blob),
            VcpuPart::Xsave => self.set_xsave_area(vcpu, blob),
            VcpuPart::Msrs => self.set_vcpu_msrs(vcpu, blob),
        }
    }

    fn vcpu_context(&self, vcpu: u32) -> Result<Vec<u8>, Error> {
        let mut context = zeroed_context();
        // SAFETY: room for the context of a guest of any width.
        let rc = unsafe { sys::xc_vcpu_getcontext(self.raw(), self.domid, vcpu, &raw mut *context) };
        self.check("xc_vcpu_getcontext", rc)?;
        // SAFETY: the union is larger than a 64-bit guest's context and starts with it; all of it is initialised.
        Ok(unsafe { std::slice::from_raw_parts((&raw const *context).cast::<u8>(), BASIC_LEN) }.to_vec())
    }

    fn set_vcpu_context(&self, vcpu: u32, blob: &[u8]) -> Result<(), Error> {
        if blob.len() != BASIC_LEN {
            return Err(self.misfit(format!("vCPU {vcpu} has {} bytes, not {BASIC_LEN}", blob.len())));
        }
        let mut context = zeroed_context();
        // SAFETY: the union has room for `BASIC_LEN` bytes, and any bytes are valid in it.
        unsafe { (&raw mut *context).cast::<u8>().copy_from_nonoverlapping(blob.as_ptr(), BASIC_LEN) };
        // SAFETY: a whole context.
        let rc = unsafe { sys::xc_vcpu_setcontext(self.raw(), self.domid, vcpu, &raw mut *context) };
        self.check("xc_vcpu_setcontext", rc)
    }

    fn extended_context(&self, vcpu: u32) -> Result<Vec<u8>, Error> {
        let mut payload = payload();
        payload.ext_vcpucontext.vcpu = vcpu;
        // SAFETY: this structure names no buffer.
        let answer =
            unsafe { self.domctl("extended vCPU context", sys::XEN_DOMCTL_get_ext_vcpucontext, payload)? };
        // SAFETY: any bytes are valid here, and Xen answers with this structure.
        let (bytes, size) = unsafe { (answer.pad, answer.ext_vcpucontext.size as usize) };
        let blob =
            bytes.get(..size).ok_or_else(|| self.fault(format!("vCPU {vcpu}: {size} extended bytes")))?;
        Ok(blob.to_vec())
    }

    fn set_extended_context(&self, vcpu: u32, blob: &[u8]) -> Result<(), Error> {
        let mut payload = payload();
        // SAFETY: any bytes are valid here.
        let room = unsafe { &mut payload.pad };
        let Some(room) = room.get_mut(..blob.len()) else {
            return Err(self.misfit(format!("vCPU {vcpu} has {} extended bytes", blob.len())));
        };
        room.copy_from_slice(blob);
        // The blob's own first field chooses the vCPU.
        payload.ext_vcpucontext.vcpu = vcpu;
        // SAFETY: this structure names no buffer.
        unsafe { self.domctl("extended vCPU context", sys::XEN_DOMCTL_set_ext_vcpucontext, payload) }?;
        Ok(())
    }

    fn xsave_area(&self, vcpu: u32) -> Result<Vec<u8>, Error> {
        let ask = sys::xen_domctl_vcpuextstate { vcpu, ..Default::default() };
        // SAFETY: the handle is null, the size 0: Xen says how much there is.
        let most = unsafe { self.xsave_op(sys::XEN_DOMCTL_getvcpuextstate, ask)? };
        let room = usize::try_from(most.size).map_err(|_| self.fault(format!("vCPU {vcpu}: xsave size")))?;
        if room == 0 {
            return Ok(Vec::new());
        }
        let buffer = HypercallBuffer::new(room)?;
        let fetch = sys::xen_domctl_vcpuextstate { buffer: handle(&buffer), ..most };
        // SAFETY: the buffer has the room that Xen asked for.
        let got = unsafe { self.xsave_op(sys::XEN_DOMCTL_getvcpuextstate, fetch)? };
        let used = usize::try_from(got.size).unwrap_or(room).min(room);
        Ok(buffer.bytes()[..used].to_vec())
    }

    fn set_xsave_area(&self, vcpu: u32, blob: &[u8]) -> Result<(), Error> {
        let buffer = HypercallBuffer::from_bytes(blob)?;
        let (size, buffer_handle) = (blob.len() as u64, handle(&buffer));
        let set = sys::xen_domctl_vcpuextstate { vcpu, xfeature_mask: 0, size, buffer: buffer_handle };
        // SAFETY: the buffer holds `size` bytes.
        unsafe { self.xsave_op(sys::XEN_DOMCTL_setvcpuextstate, set) }.map(|_| ())
    }

    /// # Safety
    /// The handle is null, or a hypercall buffer of at least `size` bytes.
    unsafe fn xsave_op(
        &self,
        command: u32,
        state: sys::xen_domctl_vcpuextstate,
    ) -> Result<sys::xen_domctl_vcpuextstate, Error> {
        let mut payload = payload();
        payload.vcpuextstate = state;
        // SAFETY: as the caller says.
        let answer = unsafe { self.domctl("xsave state", command, payload)? };
        // SAFETY: Xen answers with the structure that it was given.
        Ok(unsafe { answer.vcpuextstate })
    }

    fn vcpu_msrs(&self, vcpu: u32) -> Result<Vec<u8>, Error> {
        let ask = sys::xen_domctl_vcpu_msrs { vcpu, ..Default::default() };
        // SAFETY: the handle is null: Xen says how many there are.
        let most = unsafe { self.msrs_op(sys::XEN_DOMCTL_get_vcpu_msrs, ask)? };
        if most.msr_count == 0 {
            return Ok(Vec::new());
        }
        let buffer = HypercallBuffer::new(most.msr_count as usize * MSR_LEN)?;
        let msrs = sys::__guest_handle_xen_domctl_vcpu_msr_t { p: buffer.as_ptr() };
        // SAFETY: the buffer has the room that Xen asked for.
        let got = unsafe {
            self.msrs_op(sys::XEN_DOMCTL_get_vcpu_msrs, sys::xen_domctl_vcpu_msrs { msrs, ..most })?
        };
        let used = got.msr_count.min(most.msr_count) as usize * MSR_LEN;
        Ok(buffer.bytes()[..used].to_vec())
    }

    fn set_vcpu_msrs(&self, vcpu: u32, blob: &[u8]) -> Result<(), Error> {
        let buffer = HypercallBuffer::from_bytes(blob)?;
        let count = u32::try_from(blob.len() / MSR_LEN).unwrap_or(u32::MAX);
        let msrs = sys::__guest_handle_xen_domctl_vcpu_msr_t { p: buffer.as_ptr() };
        let set = sys::xen_domctl_vcpu_msrs { vcpu, msr_count: count, msrs };
        // SAFETY: the buffer holds `count` entries.
        unsafe { self.msrs_op(sys::XEN_DOMCTL_set_vcpu_msrs, set) }.map(|_| ())
    }

    /// # Safety
    /// The handle is null, or a hypercall buffer of at least `msr_count` entries.
    unsafe fn msrs_op(
        &self,
        command: u32,
        msrs: sys::xen_domctl_vcpu_msrs,
    ) -> Result<sys::xen_domctl_vcpu_msrs, Error> {
        let mut payload = payload();
        payload.vcpu_msrs = msrs;
        // SAFETY: as the caller says.
        let answer = unsafe { self.domctl("vCPU MSRs", command, payload)? };
        // SAFETY: Xen answers with the structure that it was given.
        Ok(unsafe { answer.vcpu_msrs })
    }
}

/// A domctl's payload of zeros.
pub(super) fn payload() -> sys::xen_domctl__bindgen_ty_1 {
    sys::xen_domctl__bindgen_ty_1 { pad: [0; 128] }
}

fn handle(buffer: &HypercallBuffer) -> sys::__guest_handle_uint64 {
    sys::__guest_handle_uint64 { p: buffer.as_ptr() }
}

fn zeroed_context() -> Box<sys::vcpu_guest_context_any_t> {
    const { assert!(size_of::<sys::vcpu_guest_context_any_t>() >= BASIC_LEN) };
    // SAFETY: plain numbers, for which zeros are valid.
    Box::new(unsafe { std::mem::zeroed() })
}
