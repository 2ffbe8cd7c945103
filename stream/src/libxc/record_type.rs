//! The types of the records of a libxc stream.

use std::fmt;

/// The type of a record (`REC_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum RecordType {
    /// `END`
    End = 0x00,
    /// `PAGE_DATA`
    PageData = 0x01,
    /// `X86_PV_INFO`
    PvInfo = 0x02,
    /// `X86_PV_P2M_FRAMES`
    PvP2mFrames = 0x03,
    /// `X86_PV_VCPU_BASIC`
    PvVcpuBasic = 0x04,
    /// `X86_PV_VCPU_EXTENDED`
    PvVcpuExtended = 0x05,
    /// `X86_PV_VCPU_XSAVE`
    PvVcpuXsave = 0x06,
    /// `SHARED_INFO`
    SharedInfo = 0x07,
    /// `X86_TSC_INFO`
    TscInfo = 0x08,
    /// `HVM_CONTEXT`
    HvmContext = 0x09,
    /// `HVM_PARAMS`
    HvmParams = 0x0a,
    /// `TOOLSTACK`: deprecated, never written and never accepted.
    Toolstack = 0x0b,
    /// `X86_PV_VCPU_MSRS`
    PvVcpuMsrs = 0x0c,
    /// `VERIFY`
    Verify = 0x0d,
    /// `CHECKPOINT`
    Checkpoint = 0x0e,
    /// `CHECKPOINT_DIRTY_PFN_LIST`
    CheckpointDirtyPfns = 0x0f,
    /// `STATIC_DATA_END`
    StaticDataEnd = 0x10,
    /// `X86_CPUID_POLICY`
    CpuidPolicy = 0x11,
    /// `X86_MSR_POLICY`
    MsrPolicy = 0x12,
}

/// Set in the type of a record that a reader may skip when it does not know it.
pub(super) const OPTIONAL: u32 = 0x8000_0000;

impl RecordType {
    /// Every type, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::End,
        Self::PageData,
        Self::PvInfo,
        Self::PvP2mFrames,
        Self::PvVcpuBasic,
        Self::PvVcpuExtended,
        Self::PvVcpuXsave,
        Self::SharedInfo,
        Self::TscInfo,
        Self::HvmContext,
        Self::HvmParams,
        Self::Toolstack,
        Self::PvVcpuMsrs,
        Self::Verify,
        Self::Checkpoint,
        Self::CheckpointDirtyPfns,
        Self::StaticDataEnd,
        Self::CpuidPolicy,
        Self::MsrPolicy,
    ];

    /// The type with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.number() == number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Its name in Xen's specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "END",
            Self::PageData => "PAGE_DATA",
            Self::PvInfo => "X86_PV_INFO",
            Self::PvP2mFrames => "X86_PV_P2M_FRAMES",
            Self::PvVcpuBasic => "X86_PV_VCPU_BASIC",
            Self::PvVcpuExtended => "X86_PV_VCPU_EXTENDED",
            Self::PvVcpuXsave => "X86_PV_VCPU_XSAVE",
            Self::SharedInfo => "SHARED_INFO",
            Self::TscInfo => "X86_TSC_INFO",
            Self::HvmContext => "HVM_CONTEXT",
            Self::HvmParams => "HVM_PARAMS",
            Self::Toolstack => "TOOLSTACK",
            Self::PvVcpuMsrs => "X86_PV_VCPU_MSRS",
            Self::Verify => "VERIFY",
            Self::Checkpoint => "CHECKPOINT",
            Self::CheckpointDirtyPfns => "CHECKPOINT_DIRTY_PFN_LIST",
            Self::StaticDataEnd => "STATIC_DATA_END",
            Self::CpuidPolicy => "X86_CPUID_POLICY",
            Self::MsrPolicy => "X86_MSR_POLICY",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
