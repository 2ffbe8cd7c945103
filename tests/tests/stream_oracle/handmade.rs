//! Small streams with what the real ones lack: odd lengths, padding, device model state, bytes that are not zero.

use stream::libxc::{DomainHeader, DomainKind, Encoder, HvmParam, MsrEntry, Record, TscInfo, VcpuPart};
use stream::{PAGE_SIZE, PageEntry, PageType, Pfn, libxl};

/// What fills states and pages.
const FILL: u8 = 0xa5;

/// A bare libxc stream, and a libxl stream.
pub(crate) fn all() -> [Vec<u8>; 2] {
    [pv(), libxl_stream(&hvm())]
}

fn pv() -> Vec<u8> {
    let vcpu = |part, blob| Record::PvVcpu { part, vcpu: 0, blob };
    let extended = [&[0; 4][..], &13_u32.to_le_bytes(), &[FILL; 5]].concat();
    let before = [
        Record::PvInfo { guest_width: 8, pt_levels: 4 },
        Record::MsrPolicy(vec![MsrEntry { index: 0xce, value: 1 }]),
        Record::StaticDataEnd,
        Record::PvP2mFrames { start: 0, end: 0x1ff, frames: vec![Pfn(3)] },
    ];
    let after = [
        tsc(),
        Record::SharedInfo(vec![FILL; PAGE_SIZE]),
        vcpu(VcpuPart::Basic, vec![FILL; 5168]),
        vcpu(VcpuPart::Extended, extended),
        vcpu(VcpuPart::Xsave, vec![FILL; 579]),
        vcpu(VcpuPart::Msrs, vec![FILL; 32]),
        Record::End,
    ];
    let pages = [(1, PageType::NoTab), (2, PageType::L4TabPinned), (3, PageType::Broken)];
    stream(DomainKind::Pv, &before, &pages, &after)
}

fn hvm() -> Vec<u8> {
    let header = [&[1, 0, 0, 0, 5, 0, 0, 0][..], &0x5438_1286_u32.to_le_bytes(), &[FILL]].concat();
    let context = [&header[..], &[0; 8]].concat();
    let params = [1, 17].map(|index| HvmParam { index, value: 0xfeffc });
    let after = [tsc(), Record::HvmContext(context), Record::HvmParams(params.to_vec()), Record::End];
    let pages = [(0, PageType::XAlloc), (1, PageType::NoTab), (1 << 35, PageType::XTab)];
    stream(DomainKind::Hvm, &[Record::StaticDataEnd], &pages, &after)
}

fn tsc() -> Record {
    Record::TscInfo(TscInfo { mode: 1, khz: 2_400_000, nsec: 77, incarnation: 2 })
}

fn stream(kind: DomainKind, before: &[Record], pages: &[(u64, PageType)], after: &[Record]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(kind), Vec::new());
    encoder.headers(&DomainHeader { kind, xen_major: 4, xen_minor: 17 }, &mut out);
    before.iter().for_each(|record| encoder.record(record, &mut out).unwrap());
    let entries: Vec<_> = pages.iter().map(|&(pfn, kind)| PageEntry { pfn: Pfn(pfn), kind }).collect();
    encoder.pages(&entries, &mut out).unwrap();
    let with_data = entries.iter().filter(|entry| entry.kind.has_data()).count();
    out.resize(out.len() + with_data * PAGE_SIZE, FILL);
    after.iter().for_each(|record| encoder.record(record, &mut out).unwrap());
    out
}

fn libxl_stream(libxc: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    libxl::Header::default().write(&mut out);
    libxl::Record::LibxcContext.write(&mut out).unwrap();
    out.extend_from_slice(libxc);
    let emulator = libxl::Emulator { id: 2, index: 0, data: vec![FILL; 14] };
    libxl::Record::EmulatorContext(emulator).write(&mut out).unwrap();
    libxl::Record::End.write(&mut out).unwrap();
    out
}
