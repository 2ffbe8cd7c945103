//! The body of a record, from bytes to a value.

use byteorder::{LE, ReadBytesExt};

use super::{CpuidLeaf, HvmParam, MsrEntry, Record, RecordType, TscInfo, VcpuPart};
use crate::{Fault, Pfn};

/// Bytes of an `HVM_PARAMS` body before the parameters: count and reserved.
const HVM_PARAMS_HEAD: u64 = 8;
/// Bytes of `{u64 index, u64 value}`.
const HVM_PARAM_LEN: usize = 16;
/// Bytes of a pfn.
const PFN_LEN: usize = 8;
/// Bytes of `{u32 leaf, subleaf, a, b, c, d}` (`xen_cpuid_leaf_t`).
pub(super) const CPUID_LEAF_LEN: usize = 24;
/// Bytes of `{u32 index, u32 flags, u64 value}` (`xen_msr_entry_t`).
pub(super) const MSR_ENTRY_LEN: usize = 16;

/// A body as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The value.
    pub record: Record,
    /// The first reserved field that is not zero, and what is in it.
    pub reserved: Option<(&'static str, u64)>,
}

/// Makes a value of a record's body (without padding). Only the layout is checked here; [`super::check()`] and
/// [`super::Order`] check what the value says.
///
/// # Errors
/// When the body's length does not fit its type; for `PAGE_DATA`, which is no value, and `TOOLSTACK`.
pub fn decode(record_type: RecordType, bytes: &[u8]) -> Result<Body, Fault> {
    let mut fields = Fields::new(bytes);
    let record = match record_type {
        RecordType::End => Record::End,
        RecordType::Verify => Record::Verify,
        RecordType::Checkpoint => Record::Checkpoint,
        RecordType::StaticDataEnd => Record::StaticDataEnd,
        RecordType::PvInfo => pv_info(&mut fields)?,
        RecordType::PvP2mFrames => p2m_frames(&mut fields)?,
        RecordType::PvVcpuBasic => vcpu(&mut fields, VcpuPart::Basic)?,
        RecordType::PvVcpuExtended => vcpu(&mut fields, VcpuPart::Extended)?,
        RecordType::PvVcpuXsave => vcpu(&mut fields, VcpuPart::Xsave)?,
        RecordType::PvVcpuMsrs => vcpu(&mut fields, VcpuPart::Msrs)?,
        RecordType::SharedInfo => Record::SharedInfo(fields.rest()),
        RecordType::TscInfo => tsc_info(&mut fields)?,
        RecordType::HvmContext => Record::HvmContext(fields.rest()),
        RecordType::HvmParams => hvm_params(&mut fields)?,
        RecordType::CheckpointDirtyPfns => Record::CheckpointDirtyPfns(pfns(&mut fields)?),
        RecordType::CpuidPolicy => Record::CpuidPolicy(fields.array(CPUID_LEAF_LEN, cpuid_leaf)?),
        RecordType::MsrPolicy => Record::MsrPolicy(fields.array(MSR_ENTRY_LEN, msr_entry)?),
        RecordType::PageData | RecordType::Toolstack => return Err(Fault::Unsupported(record_type)),
    };
    fields.done()?;
    Ok(Body { record, reserved: fields.reserved })
}

fn pv_info(fields: &mut Fields) -> Result<Record, Fault> {
    let (guest_width, pt_levels) = (fields.u8()?, fields.u8()?);
    let reserved = u64::from(fields.u16()?) | u64::from(fields.u32()?) << 16;
    fields.reserved("reserved field", reserved);
    Ok(Record::PvInfo { guest_width, pt_levels })
}

fn p2m_frames(fields: &mut Fields) -> Result<Record, Fault> {
    let (start, end) = (fields.u32()?, fields.u32()?);
    Ok(Record::PvP2mFrames { start, end, frames: pfns(fields)? })
}

fn pfns(fields: &mut Fields) -> Result<Vec<Pfn>, Fault> {
    fields.array(PFN_LEN, |f| f.u64().map(Pfn))
}

fn vcpu(fields: &mut Fields, part: VcpuPart) -> Result<Record, Fault> {
    let vcpu = fields.u32()?;
    fields.reserved_u32()?;
    Ok(Record::PvVcpu { part, vcpu, blob: fields.rest() })
}

fn tsc_info(fields: &mut Fields) -> Result<Record, Fault> {
    let (mode, khz) = (fields.u32()?, fields.u32()?);
    let nsec = fields.u64()?;
    let incarnation = fields.u32()?;
    fields.reserved_u32()?;
    Ok(Record::TscInfo(TscInfo { mode, khz, nsec, incarnation }))
}

fn hvm_params(fields: &mut Fields) -> Result<Record, Fault> {
    let count = fields.u32()?;
    fields.reserved_u32()?;
    let params = fields.array(HVM_PARAM_LEN, |f| Ok(HvmParam { index: f.u64()?, value: f.u64()? }))?;
    if params.len() as u64 != u64::from(count) {
        let expected = HVM_PARAMS_HEAD + u64::from(count) * HVM_PARAM_LEN as u64;
        return Err(Fault::Length { length: fields.length, expected });
    }
    Ok(Record::HvmParams(params))
}

fn cpuid_leaf(fields: &mut Fields) -> Result<CpuidLeaf, Fault> {
    let (leaf, subleaf) = (fields.u32()?, fields.u32()?);
    let registers = [fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?];
    Ok(CpuidLeaf { leaf, subleaf, registers })
}

fn msr_entry(fields: &mut Fields) -> Result<MsrEntry, Fault> {
    let index = fields.u32()?;
    let flags = fields.u32()?;
    fields.reserved("flags of an MSR", flags.into());
    Ok(MsrEntry { index, value: fields.u64()? })
}

/// A body that is being taken apart from its start.
struct Fields<'a> {
    rest: &'a [u8],
    length: u64,
    reserved: Option<(&'static str, u64)>,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() as u64, reserved: None }
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        let least = self.taken() + 1;
        self.rest.read_u8().map_err(|_| self.too_short(least))
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        let least = self.taken() + 2;
        self.rest.read_u16::<LE>().map_err(|_| self.too_short(least))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        let least = self.taken() + 4;
        self.rest.read_u32::<LE>().map_err(|_| self.too_short(least))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        let least = self.taken() + 8;
        self.rest.read_u64::<LE>().map_err(|_| self.too_short(least))
    }

    fn reserved_u32(&mut self) -> Result<(), Fault> {
        let value = self.u32()?;
        self.reserved("reserved field", value.into());
        Ok(())
    }

    fn reserved(&mut self, field: &'static str, value: u64) {
        if value != 0 && self.reserved.is_none() {
            self.reserved = Some((field, value));
        }
    }

    /// All the elements that are left, of `element` bytes each.
    fn array<T>(
        &mut self,
        element: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let head = self.taken();
        if !self.rest.len().is_multiple_of(element) {
            return Err(Fault::Ragged { length: self.length, head, element: element as u64 });
        }
        (0..self.rest.len() / element).map(|_| one(self)).collect()
    }

    /// All the bytes that are left.
    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest).to_vec()
    }

    fn done(&self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::Length { length: self.length, expected: self.taken() })
        }
    }

    fn taken(&self) -> u64 {
        self.length - self.rest.len() as u64
    }

    fn too_short(&self, least: u64) -> Fault {
        Fault::TooShort { length: self.length, least }
    }
}
