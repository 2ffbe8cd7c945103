//! Whatever is written is read back as it was.

use proptest::collection::vec;
use proptest::prelude::*;
use stream::libxc::{
    Body, CpuidLeaf, DomainHeader, DomainKind, Encoder, HvmParam, Item, Limits, MsrEntry, Record, TscInfo,
    VcpuPart, decode,
};
use stream::{Input, PAGE_SIZE, PageEntry, PageType, Pfn, libxl, xl};

use crate::support::{Got, context, read_all, record_bytes, tsc};

fn part() -> impl Strategy<Value = VcpuPart> {
    prop_oneof![Just(VcpuPart::Basic), Just(VcpuPart::Extended), Just(VcpuPart::Xsave), Just(VcpuPart::Msrs)]
}

fn pfns() -> impl Strategy<Value = Vec<Pfn>> {
    vec(any::<u64>().prop_map(Pfn), 0..20)
}

/// Any record at all: what it says need not make sense.
fn record() -> impl Strategy<Value = Record> {
    let bytes = || vec(any::<u8>(), 0..200);
    prop_oneof![
        Just(Record::End),
        Just(Record::Verify),
        Just(Record::Checkpoint),
        Just(Record::StaticDataEnd),
        any::<(u8, u8)>().prop_map(|(guest_width, pt_levels)| Record::PvInfo { guest_width, pt_levels }),
        (any::<(u32, u32)>(), pfns()).prop_map(|((start, end), frames)| Record::PvP2mFrames {
            start,
            end,
            frames
        }),
        (part(), any::<u32>(), bytes()).prop_map(|(part, vcpu, blob)| Record::PvVcpu { part, vcpu, blob }),
        bytes().prop_map(Record::SharedInfo),
        bytes().prop_map(Record::HvmContext),
        any::<(u32, u32, u64, u32)>().prop_map(|(mode, khz, nsec, incarnation)| Record::TscInfo(TscInfo {
            mode,
            khz,
            nsec,
            incarnation
        })),
        vec(any::<(u64, u64)>().prop_map(|(index, value)| HvmParam { index, value }), 0..20)
            .prop_map(Record::HvmParams),
        pfns().prop_map(Record::CheckpointDirtyPfns),
        vec(
            any::<(u32, u32, [u32; 4])>().prop_map(|(leaf, subleaf, registers)| CpuidLeaf {
                leaf,
                subleaf,
                registers
            }),
            0..20
        )
        .prop_map(Record::CpuidPolicy),
        vec(any::<(u32, u64)>().prop_map(|(index, value)| MsrEntry { index, value }), 0..20)
            .prop_map(Record::MsrPolicy),
    ]
}

fn hvm_page() -> impl Strategy<Value = PageEntry> {
    let kind = prop_oneof![
        Just(PageType::NoTab),
        Just(PageType::Broken),
        Just(PageType::XAlloc),
        Just(PageType::XTab)
    ];
    (0..1_u64 << 36, kind).prop_map(|(pfn, kind)| PageEntry { pfn: Pfn(pfn), kind })
}

/// The content that the test gives a page.
fn content(entries: &[PageEntry]) -> Vec<u8> {
    let with_data = entries.iter().filter(|e| e.kind.has_data());
    with_data.flat_map(|e| [e.pfn.0.to_le_bytes()[0] ^ 0x5a; PAGE_SIZE]).collect()
}

/// Writes an HVM stream with these batches of pages.
fn write_hvm(header: &DomainHeader, batches: &[Vec<PageEntry>]) -> Vec<u8> {
    let mut encoder = Encoder::new(DomainKind::Hvm);
    let mut out = Vec::new();
    encoder.headers(header, &mut out);
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    for batch in batches {
        encoder.pages(batch, &mut out).unwrap();
        out.extend(content(batch));
    }
    for record in [tsc(), Record::HvmContext(context()), Record::End] {
        encoder.record(&record, &mut out).unwrap();
    }
    assert_eq!(out.len() as u64, encoder.offset());
    out
}

proptest! {
    #[test]
    fn records(record in record()) {
        let bytes = record_bytes(&record);
        prop_assert_eq!(0, bytes.len() % 8);
        prop_assert_eq!(&record.record_type().number().to_le_bytes(), &bytes[..4]);
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
        prop_assert_eq!(bytes.len(), 8 + length.next_multiple_of(8));
        let body = decode(record.record_type(), &bytes[8..8 + length]).unwrap();
        prop_assert_eq!(Body { record, reserved: None }, body);
    }

    #[test]
    fn streams(xen in any::<(u32, u32)>(), batches in vec(vec(hvm_page(), 1..30), 0..5)) {
        let header = DomainHeader { kind: DomainKind::Hvm, xen_major: xen.0, xen_minor: xen.1 };
        let bytes = write_hvm(&header, &batches);
        let all = read_all(Input::strict(&bytes[..]), Limits::default()).unwrap();
        let pages: Vec<_> = all.iter().filter(|got| matches!(got, Got::Pages(..))).collect();
        let sent: Vec<_> = batches.into_iter().map(|b| { let data = content(&b); Got::Pages(b, data) }).collect();
        prop_assert_eq!(sent.iter().collect::<Vec<_>>(), pages);
        prop_assert_eq!(Some(&Got::Item(Item::Record(Record::End))), all.last());
    }

    #[test]
    fn emulator_records(id in 0..3_u32, index: u32, data in vec(any::<u8>(), 0..100)) {
        let record = libxl::Record::EmulatorContext(libxl::Emulator { id, index, data });
        let mut out = Vec::new();
        record.write(&mut out).unwrap();
        prop_assert_eq!(record, libxl::Record::read(&mut Input::strict(&out[..])).unwrap().1);
    }

    #[test]
    fn configurations(config in vec(1..=u8::MAX, 0..200)) {
        let header = xl::Header { config };
        let mut out = Vec::new();
        header.write(&mut out).unwrap();
        prop_assert_eq!(header, xl::Header::read(&mut Input::strict(&out[..])).unwrap());
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in vec(any::<u8>(), 0..300)) {
        let hostile = [&crate::support::pv().0[0][..], &bytes].concat();
        let _ = read_all(Input::new(&hostile[..]), Limits::default());
        let _ = libxl::Record::read(&mut Input::new(&bytes[..]));
    }
}
