//! A record, from a value to bytes.

use super::{CpuidLeaf, HvmParam, MsrEntry, Record, RecordType, TscInfo};
use crate::Pfn;
use crate::input::padding_len;

/// Bytes of a record before its body: type and length.
pub(super) const RECORD_HEAD_LEN: u64 = 8;

/// Appends a whole record: type, length, body, padding. Nothing is checked; [`super::Encoder`] does that first.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    head(record.record_type(), 0, out);
    let body_at = out.len();
    body(record, out);

    let length = out.len() - body_at;
    // A longer body than 4 GiB cannot be written down; saturated it is refused by every reader.
    let field = u32::try_from(length).unwrap_or(u32::MAX);
    out[start + 4..body_at].copy_from_slice(&field.to_le_bytes());
    out.resize(out.len() + padding_len(length as u64), 0);
}

/// Appends the eight bytes before a body.
pub(super) fn head(record_type: RecordType, length: u32, out: &mut Vec<u8>) {
    put32(out, record_type.number());
    put32(out, length);
}

fn body(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::End | Record::Verify | Record::Checkpoint | Record::StaticDataEnd => {}
        Record::PvInfo { guest_width, pt_levels } => {
            out.extend_from_slice(&[*guest_width, *pt_levels, 0, 0, 0, 0, 0, 0]);
        }
        Record::PvP2mFrames { start, end, frames } => {
            put32(out, *start);
            put32(out, *end);
            pfns(frames, out);
        }
        Record::PvVcpu { vcpu, blob, .. } => {
            put32(out, *vcpu);
            put32(out, 0);
            out.extend_from_slice(blob);
        }
        Record::SharedInfo(bytes) | Record::HvmContext(bytes) => out.extend_from_slice(bytes),
        Record::TscInfo(tsc) => tsc_info(tsc, out),
        Record::HvmParams(params) => hvm_params(params, out),
        Record::CheckpointDirtyPfns(dirty) => pfns(dirty, out),
        Record::CpuidPolicy(leaves) => leaves.iter().for_each(|leaf| cpuid_leaf(leaf, out)),
        Record::MsrPolicy(msrs) => msrs.iter().for_each(|msr| msr_entry(msr, out)),
    }
}

fn pfns(pfns: &[Pfn], out: &mut Vec<u8>) {
    for pfn in pfns {
        put64(out, pfn.0);
    }
}

fn tsc_info(tsc: &TscInfo, out: &mut Vec<u8>) {
    put32(out, tsc.mode);
    put32(out, tsc.khz);
    put64(out, tsc.nsec);
    put32(out, tsc.incarnation);
    put32(out, 0);
}

fn hvm_params(params: &[HvmParam], out: &mut Vec<u8>) {
    put32(out, u32::try_from(params.len()).unwrap_or(u32::MAX));
    put32(out, 0);
    for param in params {
        put64(out, param.index);
        put64(out, param.value);
    }
}

fn cpuid_leaf(leaf: &CpuidLeaf, out: &mut Vec<u8>) {
    put32(out, leaf.leaf);
    put32(out, leaf.subleaf);
    leaf.registers.iter().for_each(|register| put32(out, *register));
}

fn msr_entry(msr: &MsrEntry, out: &mut Vec<u8>) {
    put32(out, msr.index);
    put32(out, 0);
    put64(out, msr.value);
}

pub(super) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
