//! Streams that must be refused: one for each check, with the fault that it must give.

use stream::libxc::{DomainKind, HvmParam, Record, RecordType, VcpuPart};
use stream::{Fault, PAGE_SIZE, PageEntry, PageType, Pfn};

use crate::support::{
    CONTEXT_64, MAX_PFN, Parts, context, cpuid, entry, extended, hvm, hvm_v2, msr, p2m, page_record, pages,
    pv, ram, raw_record, read_plain, record_bytes, tsc, vcpu,
};

/// Asserts that the stream is refused for this reason, at this record.
fn refused(parts: &Parts, record: Option<&str>, fault: &Fault) {
    let error = read_plain(&parts.bytes()).unwrap_err();
    assert_eq!((record, format!("{fault:?}")), (error.record, format!("{:?}", error.fault)), "{error}");
}

/// Asserts that the stream is refused when this record takes the place of the good one.
fn bad(parts: Parts, record_type: RecordType, bytes: &[u8], fault: &Fault) {
    refused(&parts.replace(record_type, bytes), Some(record_type.name()), fault);
}

fn bad_body(parts: Parts, record_type: RecordType, body: &[u8], fault: &Fault) {
    bad(parts, record_type, &raw_record(record_type.number(), body), fault);
}

fn bad_record(parts: Parts, record: &Record, fault: &Fault) {
    bad(parts, record.record_type(), &record_bytes(record), fault);
}

#[test]
fn the_good_streams_are_good() {
    for parts in [hvm(), hvm_v2(), pv()] {
        read_plain(&parts.bytes()).unwrap();
    }
}

#[test]
fn image_header() {
    let header = |at, value, fault| refused(&hvm().header_byte(at, value), None, &fault);
    header(0, 0, Fault::Magic(0x00ff_ffff_ffff_ffff, u64::MAX));
    header(8, 0, Fault::Magic(0x0045_4e46, 0x5845_4e46));
    header(15, 1, Fault::Version { version: 1, expected: "2 or 3" });
    header(15, 4, Fault::Version { version: 4, expected: "2 or 3" });
    header(17, 1, Fault::BigEndian(1));
}

#[test]
fn domain_header() {
    let header = |at, value, fault| refused(&hvm().header_byte(at, value), None, &fault);
    header(24, 0, Fault::DomainType(0));
    header(24, 3, Fault::DomainType(3));
    header(28, 13, Fault::PageShift(13));
    header(29, 0xff, Fault::PageShift(0xff0c));
}

#[test]
fn record_lengths() {
    let mut too_long = raw_record(1, &[]);
    too_long[4..8].copy_from_slice(&0x0800_0001_u32.to_le_bytes());
    bad(hvm(), RecordType::PageData, &too_long, &Fault::TooLong { length: 0x800_0001, most: 0x800_0000 });

    let mut unbuffered = raw_record(9, &[]);
    unbuffered[4..8].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
    bad(hvm(), RecordType::HvmContext, &unbuffered, &Fault::TooLong { length: 0x200_0001, most: 0x200_0000 });

    for (parts, record_type) in [(hvm(), RecordType::End), (hvm(), RecordType::StaticDataEnd)] {
        bad_body(parts, record_type, &[0], &Fault::Length { length: 1, expected: 0 });
    }
    for record_type in [RecordType::Verify, RecordType::Checkpoint] {
        let parts = hvm().before(RecordType::End, &raw_record(record_type.number(), &[0; 8]));
        refused(&parts, Some(record_type.name()), &Fault::Length { length: 8, expected: 0 });
    }
}

#[test]
fn record_types() {
    let with = |number| hvm().before(RecordType::TscInfo, &raw_record(number, &[1, 2, 3]));
    refused(&with(0x13), None, &Fault::UnknownRecord(0x13));
    refused(&with(0x7fff_ffff), None, &Fault::UnknownRecord(0x7fff_ffff));
    refused(&with(0x0b), Some("TOOLSTACK"), &Fault::Unsupported(RecordType::Toolstack));
    let dirty = record_bytes(&Record::CheckpointDirtyPfns(vec![Pfn(1)]));
    let parts = hvm().before(RecordType::TscInfo, &dirty);
    let fault = Fault::Unsupported(RecordType::CheckpointDirtyPfns);
    refused(&parts, Some("CHECKPOINT_DIRTY_PFN_LIST"), &fault);
    read_plain(&with(0x8000_0001).bytes()).unwrap();
}

#[test]
fn truncation() {
    for parts in [hvm(), pv()] {
        let bytes = parts.bytes();
        for len in 0..bytes.len() {
            let error = read_plain(&bytes[..len]).unwrap_err();
            assert!(matches!(error.fault, Fault::Truncated { .. }), "at {len}: {error}");
        }
    }
}

#[test]
fn static_data() {
    let sde = record_bytes(&Record::StaticDataEnd);
    let name = |t: RecordType| Some(t.name());
    refused(&hvm().before(RecordType::TscInfo, &sde), name(RecordType::StaticDataEnd), &Fault::Twice);
    let missing = Fault::Before(RecordType::StaticDataEnd);
    refused(&hvm().without(RecordType::StaticDataEnd), name(RecordType::PageData), &missing);
    refused(&pv().without(RecordType::StaticDataEnd), name(RecordType::PvP2mFrames), &missing);
    let no_pages = hvm().without(RecordType::StaticDataEnd).without(RecordType::PageData);
    refused(&no_pages, name(RecordType::End), &Fault::Missing(RecordType::StaticDataEnd));

    for policy in [cpuid(), msr()] {
        let late = hvm().before(RecordType::PageData, &record_bytes(&policy));
        refused(&late, name(policy.record_type()), &Fault::After(RecordType::StaticDataEnd));
        let old = hvm_v2().before(RecordType::PageData, &record_bytes(&policy));
        refused(&old, name(policy.record_type()), &Fault::WrongVersion(2));
    }
    let old = hvm_v2().before(RecordType::PageData, &sde);
    refused(&old, name(RecordType::StaticDataEnd), &Fault::WrongVersion(2));
}

#[test]
fn policies() {
    let (cpuid, msr) = (RecordType::CpuidPolicy, RecordType::MsrPolicy);
    bad_body(hvm(), cpuid, &[], &Fault::TooShort { length: 0, least: 24 });
    bad_body(hvm(), msr, &[], &Fault::TooShort { length: 0, least: 16 });
    bad_body(hvm(), cpuid, &[0; 25], &Fault::Ragged { length: 25, head: 0, element: 24 });
    bad_body(hvm(), msr, &[0; 24], &Fault::Ragged { length: 24, head: 0, element: 16 });
}

#[test]
fn pv_info() {
    let info = |guest_width, pt_levels| record_bytes(&Record::PvInfo { guest_width, pt_levels });
    let name = Some("X86_PV_INFO");
    for (guest_width, pt_levels) in [(4, 4), (8, 3), (0, 0), (16, 5)] {
        bad(
            pv(),
            RecordType::PvInfo,
            &info(guest_width, pt_levels),
            &Fault::PvInfo { guest_width, pt_levels },
        );
    }
    bad_body(pv(), RecordType::PvInfo, &[8, 4, 0, 0, 0, 0, 0], &Fault::TooShort { length: 7, least: 8 });
    bad_body(
        pv(),
        RecordType::PvInfo,
        &[8, 4, 0, 0, 0, 0, 0, 0, 0],
        &Fault::Length { length: 9, expected: 8 },
    );
    refused(&pv().before(RecordType::PvP2mFrames, &info(8, 4)), name, &Fault::Twice);
    refused(&hvm().before(RecordType::TscInfo, &info(8, 4)), name, &Fault::WrongKind(DomainKind::Hvm));
    let before = Fault::Before(RecordType::PvInfo);
    refused(&pv().without(RecordType::PvInfo), Some("X86_CPUID_POLICY"), &before);
    refused(&pv().before(RecordType::PvInfo, &record_bytes(&tsc())), Some("X86_TSC_INFO"), &before);
}

#[test]
fn p2m_frames() {
    let bad_p2m = |start, end, frames: &[u64], fault| bad_record(pv(), &p2m(start, end, frames), &fault);
    bad_p2m(2, 1, &[1], Fault::P2mRange { start: 2, end: 1 });
    bad_p2m(0, MAX_PFN, &[1], Fault::Length { length: 16, expected: 24 });
    bad_p2m(0, MAX_PFN, &[1, 2, 3], Fault::Length { length: 32, expected: 24 });
    bad_p2m(0, MAX_PFN, &[1, 0x400], Fault::PfnTooHigh { pfn: Pfn(0x400), limit: 0x400 });
    bad_p2m(0x200, MAX_PFN, &[1], Fault::P2mGap { first: 1, expected: 0 });
    bad_body(pv(), RecordType::PvP2mFrames, &[0; 7], &Fault::TooShort { length: 7, least: 8 });
    bad_body(pv(), RecordType::PvP2mFrames, &[0; 17], &Fault::Ragged { length: 17, head: 8, element: 8 });
    let missing = pv().without(RecordType::PvP2mFrames);
    refused(&missing, Some("PAGE_DATA"), &Fault::Before(RecordType::PvP2mFrames));
    let in_hvm = hvm().before(RecordType::PageData, &record_bytes(&p2m(0, 0, &[0])));
    refused(&in_hvm, Some("X86_PV_P2M_FRAMES"), &Fault::WrongKind(DomainKind::Hvm));
}

#[test]
fn p2m_frames_may_grow() {
    let more = record_bytes(&p2m(MAX_PFN + 1, MAX_PFN + 2, &[3]));
    let grown = pv().before(RecordType::PageData, &more);
    let high = pages(&[ram(u64::from(MAX_PFN) + 2)]);
    read_plain(&grown.before(RecordType::TscInfo, &high).bytes()).unwrap();
}

#[test]
fn page_data() {
    let bad_pages = |bytes: &[u8], fault| bad(hvm(), RecordType::PageData, bytes, &fault);
    let page = [0; PAGE_SIZE];
    bad_pages(&raw_record(1, &[0; 7]), Fault::TooShort { length: 7, least: 8 });
    bad_pages(&page_record(0, &[], &[]), Fault::NoPages);
    bad_pages(&page_record(0, &[0], &page), Fault::NoPages);
    bad_pages(&page_record(2, &[0], &[]), Fault::TooShort { length: 16, least: 24 });
    bad_pages(&page_record(u32::MAX, &[0], &page), Fault::TooManyPages { count: 0xffff_ffff, most: 1 << 20 });
    bad_pages(&page_record(1, &[0], &page[1..]), Fault::Length { length: 4111, expected: 4112 });
    bad_pages(&page_record(1, &[0xf << 60], &page), Fault::Length { length: 4112, expected: 16 });
    for nibble in 5..=8_u8 {
        let raw = [0, u64::from(nibble) << 60];
        bad_pages(&page_record(2, &raw, &page), Fault::PageType { index: 1, nibble });
    }
    let limit = 1 << 36;
    bad_pages(&page_record(1, &[limit], &page), Fault::PfnTooHigh { pfn: Pfn(limit), limit });
    for kind in PageType::ALL.into_iter().filter(|kind| kind.is_page_table()) {
        bad_pages(&pages(&[PageEntry { pfn: Pfn(1), kind }]), Fault::PageTable { pfn: Pfn(1), kind });
    }
    let high = pages(&[ram(0x400)]);
    bad(pv(), RecordType::PageData, &high, &Fault::PfnTooHigh { pfn: Pfn(0x400), limit: 0x400 });
}

#[test]
fn a_page_may_come_twice_in_one_record() {
    read_plain(&hvm().replace(RecordType::PageData, &pages(&[ram(1), ram(1)])).bytes()).unwrap();
}

#[test]
fn vcpus() {
    let (basic, ext) = (VcpuPart::Basic, VcpuPart::Extended);
    let bad_vcpu = |part, id, blob, fault| bad_record(pv(), &vcpu(part, id, blob), &fault);
    let limit = 8192;
    bad_vcpu(basic, limit, vec![0; CONTEXT_64], Fault::VcpuTooHigh { vcpu: limit, limit });
    bad_vcpu(basic, 0, vec![0; CONTEXT_64 - 1], Fault::Length { length: 5175, expected: 5176 });
    bad_vcpu(basic, 0, vec![0; 2800], Fault::Length { length: 2808, expected: 5176 });
    bad_vcpu(ext, 0, extended(0, 7, 7), Fault::TooShort { length: 15, least: 16 });
    bad_vcpu(ext, 0, extended(0, 129, 129), Fault::TooLong { length: 137, most: 136 });
    bad_vcpu(ext, 0, extended(1, 64, 64), Fault::ExtendedVcpu { inner: 1, vcpu: 0 });
    bad_vcpu(ext, 0, extended(0, 63, 64), Fault::ExtendedSize { inner: 63, size: 64 });
    bad_vcpu(VcpuPart::Xsave, 0, vec![0; 15], Fault::TooShort { length: 23, least: 24 });
    bad_vcpu(VcpuPart::Msrs, 0, vec![0; 17], Fault::Ragged { length: 25, head: 8, element: 16 });
    bad_body(pv(), RecordType::PvVcpuBasic, &[0; 7], &Fault::TooShort { length: 7, least: 8 });
    let in_hvm = hvm().before(RecordType::TscInfo, &record_bytes(&vcpu(basic, 0, vec![])));
    refused(&in_hvm, Some("X86_PV_VCPU_BASIC"), &Fault::WrongKind(DomainKind::Hvm));
}

#[test]
fn empty_vcpu_records_are_accepted_but_make_no_vcpu() {
    let empty = |part| record_bytes(&vcpu(part, 1, vec![]));
    let extra = [VcpuPart::Basic, VcpuPart::Extended, VcpuPart::Xsave, VcpuPart::Msrs]
        .into_iter()
        .fold(pv(), |parts, part| parts.before(RecordType::End, &empty(part)));
    read_plain(&extra.bytes()).unwrap();
    let no_vcpu0 = pv().replace(RecordType::PvVcpuBasic, &record_bytes(&vcpu(VcpuPart::Basic, 0, vec![])));
    refused(&no_vcpu0, Some("END"), &Fault::MissingVcpu);
    let other = record_bytes(&vcpu(VcpuPart::Basic, 1, vec![0; CONTEXT_64]));
    refused(&pv().replace(RecordType::PvVcpuBasic, &other), Some("END"), &Fault::MissingVcpu);
}

#[test]
fn a_32_bit_guest_has_smaller_contexts_and_p2m_frames() {
    let narrow = pv()
        .replace(RecordType::PvInfo, &record_bytes(&Record::PvInfo { guest_width: 4, pt_levels: 3 }))
        .replace(RecordType::PvP2mFrames, &record_bytes(&p2m(0, MAX_PFN, &[1])));
    let fault = Fault::Length { length: 5176, expected: 2808 };
    refused(&narrow, Some("X86_PV_VCPU_BASIC"), &fault);
    let context = record_bytes(&vcpu(VcpuPart::Basic, 0, vec![0; 2800]));
    read_plain(&narrow.replace(RecordType::PvVcpuBasic, &context).bytes()).unwrap();
}

#[test]
fn the_state_must_be_complete() {
    let missing = [
        (hvm(), RecordType::TscInfo),
        (hvm(), RecordType::HvmContext),
        (pv(), RecordType::TscInfo),
        (pv(), RecordType::SharedInfo),
    ];
    for (parts, record_type) in missing {
        refused(&parts.without(record_type), Some("END"), &Fault::Missing(record_type));
    }
    let no_memory = pv().without(RecordType::PvP2mFrames).without(RecordType::PageData);
    refused(&no_memory, Some("END"), &Fault::Missing(RecordType::PvP2mFrames));
}

#[test]
fn fixed_sizes() {
    let (shared, tsc) = (RecordType::SharedInfo, RecordType::TscInfo);
    bad_body(pv(), shared, &[0; 4095], &Fault::Length { length: 4095, expected: 4096 });
    bad_body(pv(), shared, &[0; 4104], &Fault::Length { length: 4104, expected: 4096 });
    bad_body(hvm(), tsc, &[0; 23], &Fault::TooShort { length: 23, least: 24 });
    bad_body(hvm(), tsc, &[0; 32], &Fault::Length { length: 32, expected: 24 });
    let in_hvm = hvm().before(RecordType::TscInfo, &record_bytes(&Record::SharedInfo(vec![0; PAGE_SIZE])));
    refused(&in_hvm, Some("SHARED_INFO"), &Fault::WrongKind(DomainKind::Hvm));
    for record in [Record::HvmContext(context()), Record::HvmParams(vec![])] {
        let parts = pv().before(RecordType::TscInfo, &record_bytes(&record));
        refused(&parts, Some(record.record_type().name()), &Fault::WrongKind(DomainKind::Pv));
    }
}

#[test]
fn hvm_params() {
    let params = RecordType::HvmParams;
    let unknown = |index| Record::HvmParams(vec![HvmParam { index, value: 1 }]);
    for index in [0, 2, 3, 35, 39, u64::MAX] {
        bad_record(hvm(), &unknown(index), &Fault::HvmParam(index));
    }
    bad_body(hvm(), params, &[0; 7], &Fault::TooShort { length: 7, least: 8 });
    bad_body(hvm(), params, &[0; 25], &Fault::Ragged { length: 25, head: 8, element: 16 });
    bad_body(hvm(), params, &[0; 24], &Fault::Length { length: 24, expected: 8 });
    let huge = [&[0xff; 4][..], &[0; 20]].concat();
    bad_body(hvm(), params, &huge, &Fault::Length { length: 24, expected: 8 + 16 * 0xffff_ffff });
    read_plain(&hvm().replace(params, &record_bytes(&Record::HvmParams(vec![]))).bytes()).unwrap();
}

#[test]
fn hvm_context_chain() {
    let good = context();
    let header = &good[..32];
    let bad_context = |bytes: &[&[u8]], fault| {
        bad_record(hvm(), &Record::HvmContext(bytes.concat()), &fault);
    };
    bad_context(&[], Fault::TooShort { length: 0, least: 12 });
    bad_context(&[&entry(2, &[0; 8])], Fault::ContextFirst(2));
    bad_context(&[&entry(1, &[0; 8])], Fault::ContextMagic(0));
    bad_context(&[header], Fault::ContextEnd);
    bad_context(&[header, &[2, 0, 0, 0]], Fault::ContextEnd);
    bad_context(&[&good, &[0; 3]], Fault::ContextTail(3));
    bad_context(
        &[header, &entry(2, &[0; 8])[..15]],
        Fault::ContextEntry { typecode: 2, at: 32, length: 8, left: 7 },
    );
    let unknown = [header, &entry(0x7777, &[1; 100]), &entry(0, &[])].concat();
    read_plain(&hvm().replace(RecordType::HvmContext, &record_bytes(&Record::HvmContext(unknown))).bytes())
        .unwrap();
}

#[test]
fn verify_and_checkpoint() {
    let (verify, checkpoint) = (record_bytes(&Record::Verify), record_bytes(&Record::Checkpoint));
    let once = hvm().before(RecordType::TscInfo, &verify);
    read_plain(&once.bytes()).unwrap();
    refused(&once.before(RecordType::TscInfo, &verify), Some("VERIFY"), &Fault::Twice);
    let early = hvm().before(RecordType::StaticDataEnd, &verify);
    refused(&early, Some("VERIFY"), &Fault::Before(RecordType::StaticDataEnd));
    refused(&hvm().before(RecordType::End, &checkpoint), Some("CHECKPOINT"), &Fault::WrongUse);
}
