//! The records of a libxc stream, as values.

use std::fmt;

use super::RecordType;
use crate::Pfn;

/// The kind of guest that a stream describes (domain header, `type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainKind {
    /// x86 PV (1).
    Pv,
    /// x86 HVM or PVH (2).
    Hvm,
}

impl fmt::Display for DomainKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pv => "PV",
            Self::Hvm => "HVM",
        })
    }
}

/// The domain header: what the guest is and which Xen wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainHeader {
    /// The kind of guest.
    pub kind: DomainKind,
    /// Xen's major version on the source; 0 means that the stream was converted from a legacy one.
    pub xen_major: u32,
    /// Xen's minor version on the source.
    pub xen_minor: u32,
}

/// Which part of a PV vCPU's state a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VcpuPart {
    /// `X86_PV_VCPU_BASIC`: registers, a `vcpu_guest_context` of the guest's width.
    Basic,
    /// `X86_PV_VCPU_EXTENDED`: the start of a `xen_domctl_ext_vcpucontext`.
    Extended,
    /// `X86_PV_VCPU_XSAVE`: xcr0, xcr0_accum and the expanded xsave area.
    Xsave,
    /// `X86_PV_VCPU_MSRS`: an array of `{u32 index, u32 reserved, u64 value}`.
    Msrs,
}

/// The time stamp counter's state (`X86_TSC_INFO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TscInfo {
    /// `tsc_mode` of the domain.
    pub mode: u32,
    /// The guest's TSC frequency, kHz.
    pub khz: u32,
    /// Elapsed guest time, ns.
    pub nsec: u64,
    /// How many times the guest was moved.
    pub incarnation: u32,
}

/// One HVM parameter (`HVM_PARAMS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HvmParam {
    /// `HVM_PARAM_*` (`hvm/params.h`).
    pub index: u64,
    /// Its value.
    pub value: u64,
}

/// One CPUID leaf (`X86_CPUID_POLICY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuidLeaf {
    /// Leaf number.
    pub leaf: u32,
    /// Subleaf number.
    pub subleaf: u32,
    /// The registers eax, ebx, ecx, edx.
    pub registers: [u32; 4],
}

/// One MSR (`X86_MSR_POLICY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsrEntry {
    /// MSR index.
    pub index: u32,
    /// Its value.
    pub value: u64,
}

/// Every record but `PAGE_DATA`, whose pages are too many to be a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The end of the stream.
    End,
    /// Width and page table levels of a PV guest.
    PvInfo {
        /// Bytes in a guest word: 4 or 8.
        guest_width: u8,
        /// Page table levels: 3 or 4.
        pt_levels: u8,
    },
    /// The pages that hold the p2m of a PV guest.
    PvP2mFrames {
        /// First pfn covered.
        start: u32,
        /// Last pfn covered (inclusive).
        end: u32,
        /// One p2m page each.
        frames: Vec<Pfn>,
    },
    /// A part of the state of one PV vCPU.
    PvVcpu {
        /// Which part.
        part: VcpuPart,
        /// Which vCPU.
        vcpu: u32,
        /// The state; may be empty (Xen 4.6 to 4.8 wrote such records), which means nothing to restore.
        blob: Vec<u8>,
    },
    /// The shared-info page of a PV guest (4096 bytes).
    SharedInfo(Vec<u8>),
    /// The time stamp counter.
    TscInfo(TscInfo),
    /// Opaque HVM state (`XEN_DOMCTL_gethvmcontext`).
    HvmContext(Vec<u8>),
    /// HVM parameters.
    HvmParams(Vec<HvmParam>),
    /// All pages follow once more, to be compared.
    Verify,
    /// A checkpoint is complete (Remus, COLO).
    Checkpoint,
    /// The secondary's dirty pages (COLO's back channel).
    CheckpointDirtyPfns(Vec<Pfn>),
    /// The static part of the stream is over.
    StaticDataEnd,
    /// CPUID policy.
    CpuidPolicy(Vec<CpuidLeaf>),
    /// MSR policy.
    MsrPolicy(Vec<MsrEntry>),
}

impl Record {
    /// Its type.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        match self {
            Self::End => RecordType::End,
            Self::PvInfo { .. } => RecordType::PvInfo,
            Self::PvP2mFrames { .. } => RecordType::PvP2mFrames,
            Self::PvVcpu { part, .. } => part.record_type(),
            Self::SharedInfo(_) => RecordType::SharedInfo,
            Self::TscInfo(_) => RecordType::TscInfo,
            Self::HvmContext(_) => RecordType::HvmContext,
            Self::HvmParams(_) => RecordType::HvmParams,
            Self::Verify => RecordType::Verify,
            Self::Checkpoint => RecordType::Checkpoint,
            Self::CheckpointDirtyPfns(_) => RecordType::CheckpointDirtyPfns,
            Self::StaticDataEnd => RecordType::StaticDataEnd,
            Self::CpuidPolicy(_) => RecordType::CpuidPolicy,
            Self::MsrPolicy(_) => RecordType::MsrPolicy,
        }
    }
}

impl VcpuPart {
    /// The type of the record that holds this part.
    #[must_use]
    pub fn record_type(self) -> RecordType {
        match self {
            Self::Basic => RecordType::PvVcpuBasic,
            Self::Extended => RecordType::PvVcpuExtended,
            Self::Xsave => RecordType::PvVcpuXsave,
            Self::Msrs => RecordType::PvVcpuMsrs,
        }
    }
}
