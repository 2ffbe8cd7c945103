//! One `PAGE_DATA` record that may lie, in a stream that is good up to there.
#![no_main]

use std::io::Read;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use stream::libxc::{DomainHeader, DomainKind, Encoder, Item, Limits, Reader, Record};
use stream::{Input, PAGE_SIZE, PageType};

#[derive(Arbitrary, Debug)]
struct Pages {
    entries: Vec<u64>,
    count_lie: u32,
    length_lie: u32,
    pages_lie: i8,
}

impl Pages {
    fn pages_with_data(&self) -> usize {
        let types = self.entries.iter().map(|raw| PageType::from_nibble((raw >> 60) as u8));
        types.filter(|kind| kind.is_some_and(PageType::has_data)).count()
    }

    /// Page data that the stream really has.
    fn data(&self) -> usize {
        let pages = self.pages_with_data() as i64 + i64::from(self.pages_lie.clamp(-2, 2));
        pages.max(0) as usize * PAGE_SIZE
    }

    fn bytes(&self) -> Vec<u8> {
        let count = (self.entries.len() as u32).wrapping_add(self.count_lie);
        let length = (8 + 8 * self.entries.len() + self.data()) as u32;
        let mut out = [1, length.wrapping_add(self.length_lie), count, 0].map(u32::to_le_bytes).concat();
        out.extend(self.entries.iter().flat_map(|raw| raw.to_le_bytes()));
        out.resize(out.len() + self.data(), 0);
        out
    }

    /// Whether the record is right, told without the reader's code.
    fn is_good(&self) -> bool {
        let honest =
            self.count_lie == 0 && self.length_lie == 0 && self.data() == self.pages_with_data() * PAGE_SIZE;
        let good = |raw: &u64| matches!(raw >> 60, 0 | 0xd | 0xe | 0xf) && raw << 4 >> 4 < 1 << 36;
        honest && !self.entries.is_empty() && self.entries.iter().all(good)
    }
}

fuzz_target!(|pages: Pages| {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(DomainKind::Hvm);
    encoder.headers(&DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 }, &mut bytes);
    encoder.record(&Record::StaticDataEnd, &mut bytes).unwrap();
    bytes.extend(pages.bytes());

    let mut reader = Reader::new(Input::strict(&bytes[..]), Limits::default()).unwrap();
    let mut entries = Vec::new();
    reader.next(&mut entries).unwrap();
    let read = reader.next(&mut entries).is_ok_and(|item| {
        assert_eq!(Item::Pages, item);
        reader.data().read_to_end(&mut Vec::new()).is_ok()
    });
    assert_eq!(pages.is_good(), read, "{pages:x?}");
    if read {
        assert_eq!(pages.entries.len(), entries.len());
        assert_eq!(bytes.len() as u64, reader.offset());
    }
});
