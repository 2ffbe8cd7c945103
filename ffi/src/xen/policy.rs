//! The CPU that the guest sees: CPUID leaves and MSRs.

use byteorder::{ByteOrder, LE};
use stream::libxc::{CpuidLeaf, MsrEntry};

use super::buffer::HypercallBuffer;
use super::domain::Domain;
use super::{Error, sys};

/// Bytes of a `xen_cpuid_leaf_t`: leaf, subleaf, eax, ebx, ecx, edx.
const LEAF_LEN: usize = 24;
/// Bytes of a `xen_msr_entry_t`: index, flags, value.
const MSR_LEN: usize = 16;

/// The policy of one domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuPolicy {
    pub(super) leaves: Vec<CpuidLeaf>,
    pub(super) msrs: Vec<MsrEntry>,
}

impl Domain {
    /// The domain's policy.
    pub(super) fn cpu_policy(&self) -> Result<CpuPolicy, Error> {
        let null = sys::xen_domctl_cpu_policy::default();
        // SAFETY: both handles are null: Xen says how much there is.
        let size = unsafe { self.policy_op(sys::XEN_DOMCTL_get_cpu_policy, null)? };
        let leaves = HypercallBuffer::new(size.nr_leaves as usize * LEAF_LEN)?;
        let msrs = HypercallBuffer::new(size.nr_msrs as usize * MSR_LEN)?;
        let room = policy(size.nr_leaves, &leaves, size.nr_msrs, &msrs);
        // SAFETY: the buffers have as much room as we say.
        let got = unsafe { self.policy_op(sys::XEN_DOMCTL_get_cpu_policy, room)? };
        let leaves = leaves.bytes().chunks_exact(LEAF_LEN).take(got.nr_leaves as usize);
        let msrs = msrs.bytes().chunks_exact(MSR_LEN).take(got.nr_msrs as usize);
        Ok(CpuPolicy { leaves: leaves.map(leaf_from).collect(), msrs: msrs.map(msr_from).collect() })
    }

    /// Gives a domain that never ran this policy.
    ///
    /// # Errors
    /// When this host's CPU cannot do what the guest was promised; the message names the leaf or the MSR.
    pub(super) fn set_cpu_policy(&self, wanted: &CpuPolicy) -> Result<(), Error> {
        let leaves: Vec<u8> = wanted.leaves.iter().flat_map(leaf_bytes).collect();
        let msrs: Vec<u8> = wanted.msrs.iter().flat_map(msr_bytes).collect();
        let (leaves, msrs) = (HypercallBuffer::from_bytes(&leaves)?, HypercallBuffer::from_bytes(&msrs)?);
        let counts = (u32::try_from(wanted.leaves.len()), u32::try_from(wanted.msrs.len()));
        let (Ok(nr_leaves), Ok(nr_msrs)) = counts else {
            return Err(self.misfit("its CPU policy is too long"));
        };
        // SAFETY: the buffers hold as much as we say.
        unsafe {
            self.policy_op(sys::XEN_DOMCTL_set_cpu_policy, policy(nr_leaves, &leaves, nr_msrs, &msrs))?
        };
        Ok(())
    }

    /// # Safety
    /// The handles are null or hypercall buffers with room for `nr_leaves` and `nr_msrs` entries.
    unsafe fn policy_op(
        &self,
        command: u32,
        policy: sys::xen_domctl_cpu_policy,
    ) -> Result<sys::xen_domctl_cpu_policy, Error> {
        let mut payload = sys::xen_domctl__bindgen_ty_1 { pad: [0; 128] };
        payload.cpu_policy = policy;
        // SAFETY: as the caller says.
        let answer = unsafe { self.domctl("CPU policy", command, payload)? };
        // SAFETY: Xen answers with the structure that it was given.
        Ok(unsafe { answer.cpu_policy })
    }
}

fn policy(
    nr_leaves: u32,
    leaves: &HypercallBuffer,
    nr_msrs: u32,
    msrs: &HypercallBuffer,
) -> sys::xen_domctl_cpu_policy {
    sys::xen_domctl_cpu_policy {
        nr_leaves,
        nr_msrs,
        leaves: sys::__guest_handle_xen_cpuid_leaf_t { p: leaves.as_ptr() },
        msrs: sys::__guest_handle_xen_msr_entry_t { p: msrs.as_ptr() },
        ..sys::xen_domctl_cpu_policy::default()
    }
}

fn leaf_from(bytes: &[u8]) -> CpuidLeaf {
    let word = |index: usize| LE::read_u32(&bytes[index * 4..]);
    CpuidLeaf { leaf: word(0), subleaf: word(1), registers: [word(2), word(3), word(4), word(5)] }
}

fn leaf_bytes(leaf: &CpuidLeaf) -> [u8; LEAF_LEN] {
    let [a, b, c, d] = leaf.registers;
    let mut bytes = [0; LEAF_LEN];
    LE::write_u32_into(&[leaf.leaf, leaf.subleaf, a, b, c, d], &mut bytes);
    bytes
}

fn msr_from(bytes: &[u8]) -> MsrEntry {
    MsrEntry { index: LE::read_u32(bytes), value: LE::read_u64(&bytes[8..]) }
}

fn msr_bytes(msr: &MsrEntry) -> [u8; MSR_LEN] {
    let mut bytes = [0; MSR_LEN];
    LE::write_u32(&mut bytes, msr.index);
    LE::write_u64(&mut bytes[8..], msr.value);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_xens_layout_and_come_back() {
        assert_eq!(
            (size_of::<sys::xen_cpuid_leaf_t>(), size_of::<sys::xen_msr_entry_t>()),
            (LEAF_LEN, MSR_LEN)
        );
        let leaf = CpuidLeaf { leaf: 7, subleaf: 1, registers: [1, 2, 3, 4] };
        assert_eq!(leaf_bytes(&leaf)[20..], [4, 0, 0, 0]);
        assert_eq!(leaf_from(&leaf_bytes(&leaf)), leaf);
        let msr = MsrEntry { index: 0xce, value: 1 << 31 };
        assert_eq!(msr_from(&msr_bytes(&msr)), msr);
    }
}
