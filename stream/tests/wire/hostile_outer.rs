//! The outer layers: headers and records that must be refused.

use stream::{Error, Fault, Input, libxl, xl};

use crate::support::raw_record;

fn debug(error: &Error) -> String {
    format!("{:?}", error.fault)
}

#[test]
fn libxl_header() {
    let mut good = Vec::new();
    libxl::Header::default().write(&mut good);
    let bad = |at: usize, value, fault: Fault| {
        let mut bytes = good.clone();
        bytes[at] = value;
        let error = libxl::Header::read(&mut Input::new(&bytes[..])).unwrap_err();
        assert_eq!(format!("{fault:?}"), debug(&error), "{error}");
    };
    bad(0, 0, Fault::Magic(0x0069_6278_6c46_6d74, 0x4c69_6278_6c46_6d74));
    bad(11, 1, Fault::Version { version: 1, expected: "2" });
    bad(15, 1, Fault::BigEndian(1));
    for len in 0..good.len() {
        let error = libxl::Header::read(&mut Input::new(&good[..len])).unwrap_err();
        assert!(matches!(error.fault, Fault::Truncated { .. }), "{error}");
    }
}

#[test]
fn libxl_records() {
    let bad = |number, body: &[u8], fault: Fault| {
        let error = libxl::Record::read(&mut Input::new(&raw_record(number, body)[..])).unwrap_err();
        assert_eq!(format!("{fault:?}"), debug(&error), "{error}");
    };
    bad(6, &[], Fault::UnknownRecord(6));
    bad(0x8000_0000, &[], Fault::UnknownRecord(0x8000_0000));
    for number in [0, 1, 4] {
        bad(number, &[0; 8], Fault::Length { length: 8, expected: 0 });
    }
    for number in [2, 3] {
        bad(number, &[0; 7], Fault::TooShort { length: 7, least: 8 });
        bad(number, &[3, 0, 0, 0, 0, 0, 0, 0], Fault::Emulator(3));
    }
    bad(2, b"\x02\0\0\0\0\0\0\0key\0value", Fault::XenstorePairs(1));
    bad(2, b"\x02\0\0\0\0\0\0\0key\0", Fault::XenstorePairs(1));
    bad(2, b"\x02\0\0\0\0\0\0\0k\0v\0k", Fault::XenstorePairs(2));
    bad(5, &[0; 5], Fault::Length { length: 5, expected: 4 });
    bad(5, &[4, 0, 0, 0], Fault::CheckpointState(4));
    let mut huge = raw_record(3, &[]);
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = libxl::Record::read(&mut Input::new(&huge[..])).unwrap_err();
    assert!(matches!(error.fault, Fault::TooLong { length: 0xffff_ffff, most: 0x200_0000 }), "{error}");
}

#[test]
fn a_colo_message_of_eight_bytes_is_read_too() {
    let bytes = raw_record(5, &[2, 0, 0, 0, 0, 0, 0, 0]);
    let (_, record) = libxl::Record::read(&mut Input::strict(&bytes[..])).unwrap();
    assert_eq!(libxl::Record::CheckpointState(2), record);
}

fn xl_header(flags: u32, optional: &[u8]) -> Vec<u8> {
    let length = u32::try_from(optional.len()).unwrap();
    let fields = [0x0102_0304, flags, 0, length].map(u32::to_le_bytes).concat();
    [xl::MAGIC, &fields[..], optional].concat()
}

fn xl_refused(bytes: &[u8], fault: &Fault) {
    let error = xl::Header::read(&mut Input::new(bytes)).unwrap_err();
    assert_eq!(format!("{fault:?}"), debug(&error), "{error}");
}

#[test]
fn xl_header_fields() {
    let good = xl_header(3, b"\x03\0\0\0{}\0");
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let magic = u64::from_le_bytes(*b"Xen save");
    xl_refused(&with(0, b'Y'), &Fault::Magic(magic + 1, magic));
    xl_refused(&with(32, 1), &Fault::ByteOrder(0x0102_0301));
    xl_refused(&with(36, 1), &Fault::Legacy(1));
    xl_refused(&with(36, 2), &Fault::XlFlags(2));
    xl_refused(&with(36, 7), &Fault::XlFlags(7));
    xl_refused(&with(47, 0xff), &Fault::OptionalData { length: 0xff00_0007, most: 0x10_0005 });
    for len in 0..good.len() {
        let error = xl::Header::read(&mut Input::new(&good[..len])).unwrap_err();
        assert!(matches!(error.fault, Fault::Truncated { .. }), "{error}");
    }
}

#[test]
fn xl_configuration() {
    xl_refused(&xl_header(3, b"\x04\0\0\0{}\0"), &Fault::ConfigLength { length: 4, space: 3 });
    xl_refused(&xl_header(3, b"\x02\0\0\0{}\0"), &Fault::ConfigNul { found: None, expected: 1 });
    xl_refused(&xl_header(3, b"\x04\0\0\0{\0}\0"), &Fault::ConfigNul { found: Some(1), expected: 3 });
    for empty in [&b""[..], b"\0\0\0", b"\0\0\0\0", b"\x01\0\0\0\0"] {
        let header = xl::Header::read(&mut Input::new(&xl_header(3, empty)[..])).unwrap();
        assert_eq!(xl::Header::default(), header, "{empty:?}");
    }
    let newer = xl_header(3, b"\x03\0\0\0{}\0more");
    let mut input = Input::new(&newer[..]);
    assert_eq!(b"{}"[..], xl::Header::read(&mut input).unwrap().config);
    assert_eq!(newer.len() as u64, input.offset());
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let mut out = Vec::new();
    let long = xl::Header { config: vec![b' '; 1 << 20 | 1] };
    assert!(matches!(long.write(&mut out).unwrap_err().fault, Fault::OptionalData { .. }));
    let nul = xl::Header { config: vec![0] };
    assert!(matches!(nul.write(&mut out).unwrap_err().fault, Fault::ConfigNul { .. }));
    let emulator = libxl::Emulator { id: 3, index: 0, data: vec![] };
    let error = libxl::Record::EmulatorContext(emulator).write(&mut out).unwrap_err();
    assert!(matches!(error.fault, Fault::Emulator(3)));
    let emulator = libxl::Emulator { id: 2, index: 0, data: vec![0; 32 << 20] };
    let error = libxl::Record::EmulatorContext(emulator).write(&mut out).unwrap_err();
    assert!(matches!(error.fault, Fault::TooLong { .. }));
    assert!(out.is_empty());

    let most = xl::Header { config: vec![b' '; 1 << 20] };
    most.write(&mut out).unwrap();
    assert_eq!(most, xl::Header::read(&mut Input::new(&out[..])).unwrap());
}
