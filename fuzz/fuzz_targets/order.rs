//! Records in any order: the writer accepts a sequence if and only if the reader accepts its bytes.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use stream::libxc::{
    CpuidLeaf, DomainHeader, DomainKind, Encoder, HvmParam, Limits, MsrEntry, Reader, Record, StreamUse,
    TscInfo, VcpuPart, encode,
};
use stream::{Error, Input, PAGE_SIZE, PageEntry, PageType, Pfn};

#[derive(Arbitrary, Debug)]
struct Stream {
    pv: bool,
    checkpointed: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Pages(Vec<(u8, u32)>),
    End,
    PvInfo(bool, u8, u8),
    P2mFrames { start: u16, end: u16, frames: Option<Vec<u16>> },
    Vcpu { part: u8, vcpu: u16, blob: Blob },
    SharedInfo(bool),
    TscInfo(u32),
    HvmContext(Option<Vec<u8>>),
    HvmParams(Vec<(u8, u64)>),
    Verify,
    Checkpoint,
    DirtyPfns(u8),
    StaticDataEnd,
    Cpuid(u8),
    Msr(u8),
}

#[derive(Arbitrary, Debug)]
enum Blob {
    Right,
    Bytes(Vec<u8>),
}

/// The shortest good `HVM_CONTEXT`.
const CONTEXT: &[u8] = b"\x01\0\0\0\x04\0\0\0\x86\x12\x38\x54\0\0\0\0\0\0\0\0";

impl Step {
    /// The record, or the pages.
    fn take(&self) -> Result<Record, Vec<PageEntry>> {
        Ok(match self {
            Self::Pages(pages) => return Err(pages.iter().map(page).collect()),
            Self::End => Record::End,
            Self::PvInfo(true, ..) => Record::PvInfo { guest_width: 8, pt_levels: 4 },
            Self::PvInfo(false, guest_width, pt_levels) => {
                Record::PvInfo { guest_width: *guest_width, pt_levels: *pt_levels }
            }
            Self::P2mFrames { start, end, frames } => p2m_frames(*start, *end, frames.as_deref()),
            Self::Vcpu { part, vcpu, blob } => vcpu_state(*part, *vcpu, blob),
            Self::SharedInfo(right) => Record::SharedInfo(vec![0; if *right { PAGE_SIZE } else { 8 }]),
            Self::TscInfo(khz) => Record::TscInfo(TscInfo { khz: *khz, ..TscInfo::default() }),
            Self::HvmContext(bytes) => Record::HvmContext(bytes.clone().unwrap_or_else(|| CONTEXT.to_vec())),
            Self::HvmParams(params) => Record::HvmParams(params.iter().map(param).collect()),
            Self::Verify => Record::Verify,
            Self::Checkpoint => Record::Checkpoint,
            Self::DirtyPfns(count) => Record::CheckpointDirtyPfns(vec![Pfn(0); (*count).into()]),
            Self::StaticDataEnd => Record::StaticDataEnd,
            Self::Cpuid(count) => {
                Record::CpuidPolicy(vec![
                    CpuidLeaf { leaf: 0, subleaf: 0, registers: [0; 4] };
                    (*count).into()
                ])
            }
            Self::Msr(count) => Record::MsrPolicy(vec![MsrEntry { index: 0, value: 0 }; (*count).into()]),
        })
    }
}

fn page(&(kind, pfn): &(u8, u32)) -> PageEntry {
    // Small pages mostly, so that some are inside a PV guest.
    let pfn = if kind & 0x80 == 0 { pfn & 0xff } else { pfn };
    PageEntry { pfn: Pfn(pfn.into()), kind: PageType::ALL[usize::from(kind) % PageType::ALL.len()] }
}

fn p2m_frames(start: u16, end: u16, frames: Option<&[u16]>) -> Record {
    let (start, end) = (u32::from(start), u32::from(end));
    let right = || vec![Pfn(0); (end / 512).saturating_sub(start / 512) as usize + 1];
    let frames = frames.map_or_else(right, |frames| frames.iter().map(|pfn| Pfn((*pfn).into())).collect());
    Record::PvP2mFrames { start, end, frames }
}

fn vcpu_state(part: u8, vcpu: u16, blob: &Blob) -> Record {
    let parts = [VcpuPart::Basic, VcpuPart::Extended, VcpuPart::Xsave, VcpuPart::Msrs];
    let (part, vcpu) = (parts[usize::from(part) % parts.len()], u32::from(vcpu));
    let blob = match (blob, part) {
        (Blob::Bytes(bytes), _) => bytes.clone(),
        (Blob::Right, VcpuPart::Basic) => vec![0; 5168],
        (Blob::Right, VcpuPart::Extended) => [vcpu.to_le_bytes(), 8_u32.to_le_bytes()].concat(),
        (Blob::Right, _) => vec![0; 16],
    };
    Record::PvVcpu { part, vcpu, blob }
}

fn param(&(index, value): &(u8, u64)) -> HvmParam {
    HvmParam { index: u64::from(index) % 40, value }
}

/// What the reader says about these bytes.
fn read(bytes: &[u8], limits: Limits) -> Result<(), Error> {
    let mut reader = Reader::new(Input::strict(bytes), limits)?;
    let mut entries = Vec::new();
    while reader.offset() < bytes.len() as u64 {
        reader.next(&mut entries)?;
        // Page data is skipped before the next record: do it now.
        std::io::copy(&mut reader.data(), &mut std::io::sink()).expect("all the data is there");
    }
    Ok(())
}

fn refused(step: Result<&Record, &[PageEntry]>, bytes: &mut Vec<u8>) {
    match step {
        Ok(record) => encode(record, bytes),
        Err(entries) => {
            let data = entries.iter().filter(|e| e.kind.has_data()).count() * PAGE_SIZE;
            let length = 8 + 8 * entries.len() + data;
            bytes.extend([1, length as u32, entries.len() as u32, 0].map(u32::to_le_bytes).concat());
            bytes.extend(
                entries.iter().flat_map(|e| (u64::from(e.kind.nibble()) << 60 | e.pfn.0).to_le_bytes()),
            );
            bytes.resize(bytes.len() + data, 0);
        }
    }
}

fuzz_target!(|stream: Stream| {
    let kind = if stream.pv { DomainKind::Pv } else { DomainKind::Hvm };
    let stream_use = if stream.checkpointed { StreamUse::Checkpointed } else { StreamUse::Plain };
    let limits = Limits { stream_use, ..Limits::default() };
    let mut encoder = Encoder::with_limits(kind, limits);
    let mut bytes = Vec::new();
    encoder.headers(&DomainHeader { kind, xen_major: 4, xen_minor: 17 }, &mut bytes);

    for step in &stream.steps {
        let step = step.take();
        let written = match &step {
            Ok(record) => encoder.record(record, &mut bytes),
            Err(entries) => encoder.pages(entries, &mut bytes).map(|()| {
                let data = entries.iter().filter(|e| e.kind.has_data()).count() * PAGE_SIZE;
                bytes.resize(bytes.len() + data, 0);
            }),
        };
        if let Err(write_error) = written {
            refused(step.as_ref().map_err(Vec::as_slice), &mut bytes);
            let read_error = read(&bytes, limits).expect_err("the writer refused it");
            assert_eq!(format!("{write_error:?}"), format!("{read_error:?}"));
            return;
        }
        assert_eq!(bytes.len() as u64, encoder.offset());
    }
    read(&bytes, limits).expect("the writer accepted it");
});
