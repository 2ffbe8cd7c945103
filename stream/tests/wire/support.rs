//! Small streams to read, to damage and to compare with.

use std::io::Read;

use stream::libxc::{
    CpuidLeaf, DomainHeader, DomainKind, Encoder, HvmParam, Item, Limits, MsrEntry, Reader, Record,
    RecordType, TscInfo, VcpuPart, encode,
};
use stream::{Error, Input, PAGE_SIZE, PageEntry, PageType, Pfn};

/// The highest pfn of the PV guest.
pub(crate) const MAX_PFN: u32 = 0x3ff;
/// Bytes of a `vcpu_guest_context` of a 64-bit guest.
pub(crate) const CONTEXT_64: usize = 5168;

/// A stream in parts: the headers, then one part a record.
#[derive(Clone, Debug)]
pub(crate) struct Parts(pub(crate) Vec<Vec<u8>>);

impl Parts {
    fn new(kind: DomainKind, version: u8) -> Self {
        let mut headers = Vec::new();
        let header = DomainHeader { kind, xen_major: 4, xen_minor: 17 };
        Encoder::new(kind).headers(&header, &mut headers);
        headers[15] = version;
        Self(vec![headers])
    }

    fn record(mut self, record: &Record) -> Self {
        let mut part = Vec::new();
        encode(record, &mut part);
        self.0.push(part);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    fn position(&self, record_type: RecordType) -> usize {
        let number = record_type.number().to_le_bytes();
        1 + self.0[1..].iter().position(|part| part[..4] == number).unwrap()
    }

    /// Puts other bytes in place of the first record of this type.
    pub(crate) fn replace(mut self, record_type: RecordType, part: &[u8]) -> Self {
        let at = self.position(record_type);
        self.0[at] = part.to_vec();
        self
    }

    /// The same stream without the first record of this type.
    pub(crate) fn without(mut self, record_type: RecordType) -> Self {
        self.0.remove(self.position(record_type));
        self
    }

    /// Puts bytes before the first record of this type.
    pub(crate) fn before(mut self, record_type: RecordType, part: &[u8]) -> Self {
        self.0.insert(self.position(record_type), part.to_vec());
        self
    }

    /// Changes one byte of the headers.
    pub(crate) fn header_byte(mut self, at: usize, value: u8) -> Self {
        self.0[0][at] = value;
        self
    }
}

/// A whole, good stream of an HVM guest.
pub(crate) fn hvm() -> Parts {
    let mut parts = static_part(Parts::new(DomainKind::Hvm, 3));
    parts.0.push(pages(&[ram(0), ram(1), PageEntry { pfn: Pfn(7), kind: PageType::XTab }]));
    hvm_state(parts).record(&Record::End)
}

/// A whole, good stream of an HVM guest as Xen 4.13 writes it.
pub(crate) fn hvm_v2() -> Parts {
    let mut parts = Parts::new(DomainKind::Hvm, 2);
    parts.0.push(pages(&[ram(0)]));
    hvm_state(parts).record(&Record::End)
}

/// A whole, good stream of a PV guest.
pub(crate) fn pv() -> Parts {
    let parts = Parts::new(DomainKind::Pv, 3).record(&Record::PvInfo { guest_width: 8, pt_levels: 4 });
    let mut parts = static_part(parts).record(&p2m(0, MAX_PFN, &[1, 2]));
    parts.0.push(pages(&[
        ram(0),
        PageEntry { pfn: Pfn(3), kind: PageType::L4TabPinned },
        PageEntry { pfn: Pfn(4), kind: PageType::Broken },
    ]));
    pv_state(parts).record(&Record::End)
}

fn static_part(parts: Parts) -> Parts {
    parts.record(&cpuid()).record(&msr()).record(&Record::StaticDataEnd)
}

fn hvm_state(parts: Parts) -> Parts {
    let params = Record::HvmParams(vec![HvmParam { index: 1, value: 0xfeffc }]);
    parts.record(&tsc()).record(&Record::HvmContext(context())).record(&params)
}

fn pv_state(parts: Parts) -> Parts {
    parts
        .record(&tsc())
        .record(&Record::SharedInfo(vec![0; PAGE_SIZE]))
        .record(&vcpu(VcpuPart::Basic, 0, vec![0; CONTEXT_64]))
        .record(&vcpu(VcpuPart::Extended, 0, extended(0, 64, 64)))
        .record(&vcpu(VcpuPart::Xsave, 0, vec![0; 576]))
        .record(&vcpu(VcpuPart::Msrs, 0, vec![0; 32]))
}

pub(crate) fn cpuid() -> Record {
    Record::CpuidPolicy(vec![CpuidLeaf { leaf: 0, subleaf: 0, registers: [0xd, 1, 2, 3] }])
}

pub(crate) fn msr() -> Record {
    Record::MsrPolicy(vec![MsrEntry { index: 0xce, value: 1 << 31 }])
}

pub(crate) fn tsc() -> Record {
    Record::TscInfo(TscInfo { mode: 0, khz: 2_400_000, nsec: 77, incarnation: 1 })
}

pub(crate) fn vcpu(part: VcpuPart, vcpu: u32, blob: Vec<u8>) -> Record {
    Record::PvVcpu { part, vcpu, blob }
}

pub(crate) fn p2m(start: u32, end: u32, frames: &[u64]) -> Record {
    Record::PvP2mFrames { start, end, frames: frames.iter().copied().map(Pfn).collect() }
}

/// An `EXTENDED` state with these values in its own fields.
pub(crate) fn extended(vcpu: u32, size: u32, len: usize) -> Vec<u8> {
    let mut blob = [vcpu.to_le_bytes(), size.to_le_bytes()].concat();
    blob.resize(len, 0);
    blob
}

/// The shortest good `HVM_CONTEXT`: a header and an end.
pub(crate) fn context() -> Vec<u8> {
    let mut header = 0x5438_1286_u32.to_le_bytes().to_vec();
    header.resize(24, 0);
    [entry(1, &header), entry(0, &[])].concat()
}

/// One entry of an `HVM_CONTEXT`.
pub(crate) fn entry(typecode: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&typecode.to_le_bytes()[..], &[0; 2], &length.to_le_bytes(), payload].concat()
}

pub(crate) fn ram(pfn: u64) -> PageEntry {
    PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab }
}

/// A whole `PAGE_DATA` record; each page is filled with the low byte of its number.
pub(crate) fn pages(entries: &[PageEntry]) -> Vec<u8> {
    let raw: Vec<u64> = entries.iter().map(|e| u64::from(e.kind.nibble()) << 60 | e.pfn.0).collect();
    let data =
        entries.iter().filter(|e| e.kind.has_data()).flat_map(|e| [e.pfn.0.to_le_bytes()[0]; PAGE_SIZE]);
    page_record(u32::try_from(raw.len()).unwrap(), &raw, &data.collect::<Vec<_>>())
}

/// A `PAGE_DATA` record that may say anything.
pub(crate) fn page_record(count: u32, raw: &[u64], data: &[u8]) -> Vec<u8> {
    let entries: Vec<u8> = raw.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    raw_record(1, &[&count.to_le_bytes()[..], &[0; 4], &entries, data].concat())
}

/// A record that may say anything.
pub(crate) fn raw_record(number: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = [number.to_le_bytes(), u32::try_from(body.len()).unwrap().to_le_bytes()].concat();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

pub(crate) fn record_bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes
}

/// A record as a reader gave it, with the content of its pages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Pages(Vec<PageEntry>, Vec<u8>),
    Item(Item),
}

/// Reads a stream to its end.
pub(crate) fn read_all<R: Read>(input: Input<R>, limits: Limits) -> Result<Vec<Got>, Error> {
    let mut reader = Reader::new(input, limits)?;
    let (mut all, mut entries) = (Vec::new(), Vec::new());
    while !reader.order().ended() {
        let got = match reader.next(&mut entries)? {
            Item::Pages => {
                let mut data = Vec::new();
                reader.data().read_to_end(&mut data).map_err(|e| e.downcast::<Error>().unwrap())?;
                Got::Pages(entries.clone(), data)
            }
            other => Got::Item(other),
        };
        all.push(got);
    }
    Ok(all)
}

/// Reads a plain stream with the default limits.
pub(crate) fn read_plain(bytes: &[u8]) -> Result<Vec<Got>, Error> {
    read_all(Input::new(bytes), Limits::default())
}
