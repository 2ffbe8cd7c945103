//! What a record must say, whatever came before it.

use byteorder::{ByteOrder, LE};

use super::decode::{CPUID_LEAF_LEN, MSR_ENTRY_LEN};
use super::{HvmParam, Record, RecordType, VcpuPart, hvm_context};
use crate::{Fault, PAGE_SIZE};

/// Bytes of a vCPU record before its state.
const VCPU_HEAD: usize = 8;
/// The longest `EXTENDED` state that Xen takes (the room in `xen_domctl`).
const EXTENDED_MAX: usize = 128;
/// The `EXTENDED` state starts with `{u32 vcpu, u32 size}`.
const EXTENDED_MIN: usize = 8;
/// The `XSAVE` state starts with `{u64 xcr0, u64 xcr0_accum}`.
const XSAVE_MIN: usize = 16;
/// Bytes of `{u32 index, u32 reserved, u64 value}` (`xen_domctl_vcpu_msr_t`).
const VCPU_MSR_LEN: usize = 16;

/// The parameters a saver writes (`HVM_PARAM_*`, `hvm/params.h`): `STORE_PFN`, `PAE_ENABLED` (old savers; restored
/// as nothing), `IOREQ_PFN`, `BUFIOREQ_PFN`, `VIRIDIAN`, `IDENT_PT`, `CONSOLE_PFN`, `ACPI_IOPORTS_LOCATION`,
/// `PAGING_RING_PFN`, `MONITOR_RING_PFN`, `SHARING_RING_PFN`, `IOREQ_SERVER_PFN`, `NR_IOREQ_SERVER_PAGES`,
/// `VM_GENERATION_ID_ADDR`, `X87_FIP_WIDTH`, `VM86_TSS_SIZED`, `MCA_CAP`.
const HVM_PARAMS: [u64; 17] = [1, 4, 5, 6, 9, 12, 17, 19, 27, 28, 29, 32, 33, 34, 36, 37, 38];

/// Checks everything about a record that can be checked without the records before it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(record: &Record) -> Result<(), Fault> {
    match record {
        Record::PvInfo { guest_width, pt_levels } => pv_info(*guest_width, *pt_levels),
        Record::PvP2mFrames { start, end, .. } if start > end => {
            Err(Fault::P2mRange { start: *start, end: *end })
        }
        Record::PvVcpu { part, vcpu, blob } => vcpu_state(*part, *vcpu, blob),
        Record::SharedInfo(page) => length(page.len(), PAGE_SIZE),
        Record::HvmContext(context) => hvm_context::check(context),
        Record::HvmParams(params) => hvm_params(params),
        Record::CpuidPolicy(leaves) if leaves.is_empty() => too_short(0, CPUID_LEAF_LEN),
        Record::MsrPolicy(msrs) if msrs.is_empty() => too_short(0, MSR_ENTRY_LEN),
        Record::CheckpointDirtyPfns(_) => Err(Fault::Unsupported(RecordType::CheckpointDirtyPfns)),
        Record::PvP2mFrames { .. }
        | Record::CpuidPolicy(_)
        | Record::MsrPolicy(_)
        | Record::TscInfo(_)
        | Record::End
        | Record::Verify
        | Record::Checkpoint
        | Record::StaticDataEnd => Ok(()),
    }
}

fn pv_info(guest_width: u8, pt_levels: u8) -> Result<(), Fault> {
    match (guest_width, pt_levels) {
        (4, 3) | (8, 4) => Ok(()),
        _ => Err(Fault::PvInfo { guest_width, pt_levels }),
    }
}

fn hvm_params(params: &[HvmParam]) -> Result<(), Fault> {
    match params.iter().find(|p| !HVM_PARAMS.contains(&p.index)) {
        None => Ok(()),
        Some(unknown) => Err(Fault::HvmParam(unknown.index)),
    }
}

/// An empty state is allowed: Xen 4.6 to 4.8 wrote such records. The size of `BASIC` depends on the guest's width,
/// so [`super::Order`] checks it.
fn vcpu_state(part: VcpuPart, vcpu: u32, blob: &[u8]) -> Result<(), Fault> {
    match part {
        _ if blob.is_empty() => Ok(()),
        VcpuPart::Basic => Ok(()),
        VcpuPart::Extended => extended(vcpu, blob),
        VcpuPart::Xsave if blob.len() < XSAVE_MIN => too_short(VCPU_HEAD + blob.len(), VCPU_HEAD + XSAVE_MIN),
        VcpuPart::Msrs if !blob.len().is_multiple_of(VCPU_MSR_LEN) => Err(Fault::Ragged {
            length: (VCPU_HEAD + blob.len()) as u64,
            head: VCPU_HEAD as u64,
            element: VCPU_MSR_LEN as u64,
        }),
        VcpuPart::Xsave | VcpuPart::Msrs => Ok(()),
    }
}

fn extended(vcpu: u32, blob: &[u8]) -> Result<(), Fault> {
    if blob.len() < EXTENDED_MIN {
        return too_short(VCPU_HEAD + blob.len(), VCPU_HEAD + EXTENDED_MIN);
    }
    if blob.len() > EXTENDED_MAX {
        let (length, most) = ((VCPU_HEAD + blob.len()) as u64, (VCPU_HEAD + EXTENDED_MAX) as u64);
        return Err(Fault::TooLong { length, most });
    }
    let (inner_vcpu, inner_size) = (LE::read_u32(blob), LE::read_u32(&blob[4..]));
    let size = blob.len() as u64;
    if inner_vcpu != vcpu {
        return Err(Fault::ExtendedVcpu { inner: inner_vcpu, vcpu });
    }
    if u64::from(inner_size) != size {
        return Err(Fault::ExtendedSize { inner: inner_size, size });
    }
    Ok(())
}

/// Checks the size of a `BASIC` state (a `vcpu_guest_context`) in a guest of this width.
pub(super) fn basic_size(guest_width: u8, blob: &[u8]) -> Result<(), Fault> {
    const WIDTH_32: u8 = 4;
    const CONTEXT_32: usize = 2800;
    const CONTEXT_64: usize = 5168;
    let size = if guest_width == WIDTH_32 { CONTEXT_32 } else { CONTEXT_64 };
    length(VCPU_HEAD + blob.len(), VCPU_HEAD + size)
}

/// Checks a record's whole body length.
pub(super) fn length(length: usize, expected: usize) -> Result<(), Fault> {
    if length == expected {
        return Ok(());
    }
    Err(Fault::Length { length: length as u64, expected: expected as u64 })
}

fn too_short(length: usize, least: usize) -> Result<(), Fault> {
    Err(Fault::TooShort { length: length as u64, least: least as u64 })
}
