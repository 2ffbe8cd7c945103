//! Every record as bytes written by hand from the specification.

use stream::lanes::Lanes;
use stream::libxc::{
    Body, CpuidLeaf, DomainHeader, DomainKind, Encoder, HEADERS_LEN, HvmParam, MsrEntry, Record, TscInfo,
    VcpuPart, decode,
};
use stream::{Input, PageEntry, PageType, Pfn, libxl, xl};

use crate::support::record_bytes;

/// Bytes from hexadecimal text with spaces.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn vectors() -> Vec<(Record, Vec<u8>)> {
    let page = |head: &str| [hex(head), vec![0xa5; 4096]].concat();
    vec![
        (Record::End, hex("00000000 00000000")),
        (Record::PvInfo { guest_width: 8, pt_levels: 4 }, hex("02000000 08000000 08 04 0000 00000000")),
        (
            Record::PvP2mFrames { start: 0, end: 0x2ff, frames: vec![Pfn(0x11), Pfn(0x22)] },
            hex("03000000 18000000 00000000 ff020000 1100000000000000 2200000000000000"),
        ),
        (
            Record::PvVcpu { part: VcpuPart::Basic, vcpu: 1, blob: vec![1, 2, 3] },
            hex("04000000 0b000000 01000000 00000000 010203 0000000000"),
        ),
        (
            Record::PvVcpu { part: VcpuPart::Extended, vcpu: 2, blob: vec![9; 8] },
            hex("05000000 10000000 02000000 00000000 0909090909090909"),
        ),
        (
            Record::PvVcpu { part: VcpuPart::Xsave, vcpu: 3, blob: vec![] },
            hex("06000000 08000000 03000000 00000000"),
        ),
        (
            Record::PvVcpu { part: VcpuPart::Msrs, vcpu: 0x100, blob: vec![7] },
            hex("0c000000 09000000 00010000 00000000 07 00000000000000"),
        ),
        (Record::SharedInfo(vec![0xa5; 4096]), page("07000000 00100000")),
        (
            Record::TscInfo(TscInfo { mode: 1, khz: 2, nsec: 3, incarnation: 4 }),
            hex("08000000 18000000 01000000 02000000 0300000000000000 04000000 00000000"),
        ),
        (Record::HvmContext(vec![1, 2, 3, 4]), hex("09000000 04000000 01020304 00000000")),
        (
            Record::HvmParams(vec![HvmParam { index: 1, value: 0xfeffc }]),
            hex("0a000000 18000000 01000000 00000000 0100000000000000 fcef0f0000000000"),
        ),
        (Record::Verify, hex("0d000000 00000000")),
        (Record::Checkpoint, hex("0e000000 00000000")),
        (Record::CheckpointDirtyPfns(vec![Pfn(5)]), hex("0f000000 08000000 0500000000000000")),
        (Record::StaticDataEnd, hex("10000000 00000000")),
        (
            Record::CpuidPolicy(vec![CpuidLeaf { leaf: 7, subleaf: 1, registers: [10, 11, 12, 13] }]),
            hex("11000000 18000000 07000000 01000000 0a000000 0b000000 0c000000 0d000000"),
        ),
        (
            Record::MsrPolicy(vec![MsrEntry { index: 0xce, value: 0x8000_0000 }]),
            hex("12000000 10000000 ce000000 00000000 0000008000000000"),
        ),
    ]
}

#[test]
fn each_record_is_written_as_specified() {
    for (record, bytes) in vectors() {
        assert_eq!(bytes, record_bytes(&record), "{record:?}");
    }
}

#[test]
fn each_record_is_read_as_specified() {
    for (record, bytes) in vectors() {
        let length = usize::from(bytes[4]) | usize::from(bytes[5]) << 8;
        let body = decode(record.record_type(), &bytes[8..8 + length]).unwrap();
        assert_eq!(Body { record, reserved: None }, body);
    }
}

#[test]
fn the_headers_are_as_specified() {
    let golden = hex("ffffffffffffffff 58454e46 00000003 0000 0000 00000000
                      02000000 0c00 0000 04000000 11000000");
    let header = DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(DomainKind::Hvm);
    encoder.headers(&header, &mut out);
    assert_eq!((golden, HEADERS_LEN as u64), (out.clone(), encoder.offset()));

    let reader = stream::libxc::Reader::new(Input::new(&out[..]), Default::default()).unwrap();
    assert_eq!((&header, 3), (reader.header(), reader.version()));
}

#[test]
fn page_data_is_as_specified() {
    let mut encoder = Encoder::new(DomainKind::Hvm);
    let mut out = Vec::new();
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    out.clear();
    let entries = [
        PageEntry { pfn: Pfn(0x12_3456), kind: PageType::NoTab },
        PageEntry { pfn: Pfn(1), kind: PageType::XTab },
    ];
    encoder.pages(&entries, &mut out).unwrap();
    let golden = hex("01000000 18100000 02000000 00000000 5634120000000000 01000000000000f0");
    assert_eq!(golden, out);
    // STATIC_DATA_END, the head of the record, and the page that the caller writes.
    assert_eq!(8 + 32 + 4096, encoder.offset());
}

#[test]
fn the_libxl_stream_is_as_specified() {
    let emulator = || libxl::Emulator { id: 2, index: 0, data: b"k\0v\0".to_vec() };
    let vectors = [
        (libxl::Record::End, hex("00000000 00000000")),
        (libxl::Record::LibxcContext, hex("01000000 00000000")),
        (
            libxl::Record::EmulatorXenstoreData(emulator()),
            hex("02000000 0c000000 02000000 00000000 6b007600 00000000"),
        ),
        (
            libxl::Record::EmulatorContext(emulator()),
            hex("03000000 0c000000 02000000 00000000 6b007600 00000000"),
        ),
        (libxl::Record::CheckpointEnd, hex("04000000 00000000")),
        (libxl::Record::CheckpointState(3), hex("05000000 04000000 03000000 00000000")),
        (
            libxl::Record::Lanes(Lanes { count: 2, token: *b"0123456789abcdef" }),
            hex("6c616e65 14000000 02000000 30313233 34353637 38396162 63646566 00000000"),
        ),
    ];
    for (record, bytes) in vectors {
        let mut out = Vec::new();
        record.write(&mut out).unwrap();
        assert_eq!(bytes, out);
        assert_eq!(record, libxl::Record::read(&mut Input::strict(&out[..])).unwrap().1);
    }
    let mut out = Vec::new();
    libxl::Header { legacy: true }.write(&mut out);
    assert_eq!(hex("4c6962786c466d74 00000002 00000002"), out);
    assert!(libxl::Header::read(&mut Input::strict(&out[..])).unwrap().legacy);
}

#[test]
fn the_xl_header_is_as_specified() {
    let header = xl::Header { config: b"{}".to_vec() };
    let golden = [
        &b"Xen saved domain, xl format\n \0 \r"[..],
        &hex("04030201 03000000 00000000 07000000 03000000"),
        b"{}\0",
    ]
    .concat();
    let mut out = Vec::new();
    header.write(&mut out).unwrap();
    assert_eq!(golden, out);
    assert_eq!(header, xl::Header::read(&mut Input::strict(&out[..])).unwrap());
}
