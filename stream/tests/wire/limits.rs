//! Strictness, limits, and the writer's side of the checks.

use stream::libxc::{DomainKind, Encoder, Limits, Record, RecordType, StreamUse, VcpuPart};
use stream::{Fault, Input, PageEntry, PageType, Pfn};

use crate::support::{
    Parts, hvm, page_record, pages, pv, ram, raw_record, read_all, read_plain, record_bytes, vcpu,
};

/// Asserts that a restore accepts the stream with one warning and that strict reading refuses it.
fn only_tolerated(parts: &Parts, fault: &Fault) {
    let bytes = parts.bytes();
    let mut reader = stream::libxc::Reader::new(Input::new(&bytes[..]), Limits::default()).unwrap();
    let mut entries = Vec::new();
    while !reader.order().ended() {
        reader.next(&mut entries).unwrap();
    }
    assert_eq!(1, reader.warnings());
    let error = read_all(Input::strict(&bytes[..]), Limits::default()).unwrap_err();
    assert_eq!(format!("{fault:?}"), format!("{:?}", error.fault), "{error}");
}

fn reserved(value: u64) -> Fault {
    Fault::Reserved { field: "reserved field", value }
}

/// A record with one bit of its body set.
fn with_bit(record: &Record, at: usize) -> Vec<u8> {
    let mut bytes = record_bytes(record);
    bytes[8 + at] |= 1;
    bytes
}

#[test]
fn reserved_fields_and_padding() {
    only_tolerated(&hvm().header_byte(17, 2), &Fault::Reserved { field: "reserved options", value: 2 });
    only_tolerated(&hvm().header_byte(23, 1), &reserved(1));
    only_tolerated(&hvm().header_byte(30, 1), &reserved(1));

    let mut padded = record_bytes(&vcpu(VcpuPart::Xsave, 0, vec![0; 17]));
    padded[8 + 8 + 17] = 5;
    only_tolerated(&pv().replace(RecordType::PvVcpuXsave, &padded), &Fault::Padding(5));

    let info = with_bit(&Record::PvInfo { guest_width: 8, pt_levels: 4 }, 2);
    only_tolerated(&pv().replace(RecordType::PvInfo, &info), &reserved(1));
    let basic = with_bit(&vcpu(VcpuPart::Basic, 0, vec![0; 5168]), 4);
    only_tolerated(&pv().replace(RecordType::PvVcpuBasic, &basic), &reserved(1));
    let tsc = with_bit(&crate::support::tsc(), 20);
    only_tolerated(&hvm().replace(RecordType::TscInfo, &tsc), &reserved(1));
    let params = with_bit(&Record::HvmParams(vec![]), 4);
    only_tolerated(&hvm().replace(RecordType::HvmParams, &params), &reserved(1));
    let msr = with_bit(&crate::support::msr(), 4);
    let flags = Fault::Reserved { field: "flags of an MSR", value: 1 };
    only_tolerated(&hvm().replace(RecordType::MsrPolicy, &msr), &flags);
}

#[test]
fn reserved_bits_of_pages() {
    let mut count = pages(&[ram(0)]);
    count[12] = 1;
    only_tolerated(&hvm().replace(RecordType::PageData, &count), &reserved(1));
    let entry = page_record(1, &[0xf << 60 | 0x81 << 52 | 3], &[]);
    let fault = Fault::Reserved { field: "reserved bits of an entry", value: 0x81 };
    only_tolerated(&hvm().replace(RecordType::PageData, &entry), &fault);
}

#[test]
fn unknown_optional_records_are_skipped_unless_strict() {
    let bytes = hvm().before(RecordType::TscInfo, &raw_record(0x8000_0001, &[1, 2, 3])).bytes();
    read_plain(&bytes).unwrap();
    let error = read_all(Input::strict(&bytes[..]), Limits::default()).unwrap_err();
    assert!(matches!(error.fault, Fault::UnknownRecord(0x8000_0001)), "{error}");
}

#[test]
fn checkpoints_need_a_checkpointed_stream_and_the_whole_state() {
    let limits = Limits { stream_use: StreamUse::Checkpointed, ..Limits::default() };
    let checkpoint = record_bytes(&Record::Checkpoint);
    let read = |parts: &Parts| read_all(Input::strict(&parts.bytes()[..]), limits);
    read(&hvm().before(RecordType::End, &checkpoint)).unwrap();
    let early = read(&hvm().before(RecordType::HvmContext, &checkpoint)).unwrap_err();
    assert!(matches!(early.fault, Fault::Missing(RecordType::HvmContext)), "{early}");
    let verify = read(&hvm().before(RecordType::TscInfo, &record_bytes(&Record::Verify))).unwrap_err();
    assert!(matches!(verify.fault, Fault::WrongUse), "{verify}");
}

#[test]
fn the_targets_limits_hold() {
    let limits = Limits { pfn_limit: 1, vcpu_limit: 1, ..Limits::default() };
    let read = |parts: &Parts| read_all(Input::new(&parts.bytes()[..]), limits).unwrap_err();
    assert!(matches!(read(&hvm()).fault, Fault::PfnTooHigh { pfn: Pfn(1), limit: 1 }));
    assert!(matches!(read(&pv()).fault, Fault::PfnTooHigh { pfn: Pfn(0x3ff), limit: 1 }));
    let limits = Limits { vcpu_limit: 0, ..Limits::default() };
    let error = read_all(Input::new(&pv().bytes()[..]), limits).unwrap_err();
    assert!(matches!(error.fault, Fault::VcpuTooHigh { vcpu: 0, limit: 0 }));

    let bytes = hvm().bytes();
    let mut reader = stream::libxc::Reader::new(Input::new(&bytes[..]), Limits::default()).unwrap();
    reader.set_pfn_limit(1);
    let mut entries = Vec::new();
    let error = std::iter::repeat_with(|| reader.next(&mut entries)).find_map(Result::err).unwrap();
    assert!(matches!(error.fault, Fault::PfnTooHigh { pfn: Pfn(1), limit: 1 }));
}

#[test]
fn no_limit_reaches_into_the_type_of_an_entry() {
    let limits = Limits { pfn_limit: u64::MAX, ..Limits::default() };
    let mut encoder = Encoder::with_limits(DomainKind::Hvm, limits);
    let mut out = Vec::new();
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    encoder.pages(&[ram((1 << 52) - 1)], &mut out).unwrap();
    assert!(encoder.pages(&[ram(1 << 52)], &mut out).is_err());
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let mut encoder = Encoder::new(DomainKind::Hvm);
    let mut out = Vec::new();
    let error = encoder.pages(&[ram(0)], &mut out).unwrap_err();
    assert!(matches!(error.fault, Fault::Before(RecordType::StaticDataEnd)));
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    out.clear();

    let refused = |encoder: &mut Encoder, entries: &[PageEntry]| {
        let mut out = Vec::new();
        let fault = encoder.pages(entries, &mut out).unwrap_err().fault;
        assert!(out.is_empty());
        fault
    };
    assert!(matches!(refused(&mut encoder, &[]), Fault::NoPages));
    let hole = PageEntry { pfn: Pfn(0), kind: PageType::XTab };
    let fault = refused(&mut encoder, &vec![hole; (1 << 20) + 1]);
    assert!(matches!(fault, Fault::TooManyPages { count: 0x10_0001, .. }));
    // 32704 pages with data fill 128 MiB; one more does not fit.
    encoder.pages(&vec![ram(0); 32704], &mut out).unwrap();
    let fault = refused(&mut encoder, &vec![ram(0); 32705]);
    assert!(matches!(fault, Fault::TooLong { most: 0x800_0000, .. }));
    let table = PageEntry { pfn: Pfn(0), kind: PageType::L1Tab };
    assert!(matches!(refused(&mut encoder, &[table]), Fault::PageTable { .. }));
}

#[test]
fn the_writer_knows_that_the_state_is_missing() {
    let mut encoder = Encoder::new(DomainKind::Hvm);
    let mut out = Vec::new();
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    let written = out.len();
    let error = encoder.record(&Record::End, &mut out).unwrap_err();
    assert_eq!("libxc stream, END at byte 8: there was no X86_TSC_INFO", error.to_string());
    assert_eq!(written, out.len());
}

#[test]
fn nothing_is_written_or_read_after_the_end() {
    let bytes = hvm().bytes();
    let mut reader = stream::libxc::Reader::new(Input::new(&bytes[..]), Limits::default()).unwrap();
    let mut entries = Vec::new();
    while !reader.order().ended() {
        reader.next(&mut entries).unwrap();
    }
    assert!(matches!(reader.next(&mut entries).unwrap_err().fault, Fault::AfterEnd));
}
