//! Letting a suspended guest run again where it is.

use std::mem::offset_of;

use stream::libxc::VcpuPart;

use super::domain::Domain;
use super::sys::{self, vcpu_guest_context};
use super::{Error, vcpu};

/// `user_regs.rax`, behind r15 to r12, rbp, rbx and r11 to r8 (`xen-x86_64.h`).
const RAX: usize = offset_of!(vcpu_guest_context, user_regs) + 10 * size_of::<u64>();
/// What the guest's call to suspend returns when it was not moved.
const CANCELLED: u64 = 1;

impl Domain {
    /// Lets a guest that suspended itself run again as if it had not: it keeps its rings and its devices. Every guest
    /// since Linux 2.6.18 understands.
    pub(super) fn resume(&self) -> Result<(), Error> {
        if !self.info()?.hvm || self.hvm_param(sys::HVM_PARAM_CALLBACK_IRQ)? != 0 {
            let mut context = self.vcpu_part(VcpuPart::Basic, 0)?;
            context[RAX..][..size_of::<u64>()].copy_from_slice(&CANCELLED.to_le_bytes());
            self.set_vcpu_part(VcpuPart::Basic, 0, &context)?;
        }
        // SAFETY: this command has no payload.
        unsafe { self.domctl("resume", sys::XEN_DOMCTL_resumedomain, vcpu::payload()) }.map(|_| ())
    }
}
