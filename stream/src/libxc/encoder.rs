//! The libxc stream, from records to bytes.

use super::encode::{self, RECORD_HEAD_LEN, put32, put64};
use super::page_data::{self, TYPE_SHIFT};
use super::{
    DomainHeader, DomainKind, Limits, MAX_BODY, Order, REC_LENGTH_MAX, Record, RecordType, VERSION, header,
};
use crate::{Error, Fault, Layer, PageEntry};

/// Writes a version 3 stream into byte vectors, and refuses what [`super::Reader`] would refuse.
#[derive(Clone, Debug)]
pub struct Encoder {
    order: Order,
    offset: u64,
}

impl Encoder {
    /// A plain stream of a guest of this kind.
    #[must_use]
    pub fn new(kind: DomainKind) -> Self {
        Self::with_limits(kind, Limits::default())
    }

    /// The same for another use, or other limits.
    #[must_use]
    pub fn with_limits(kind: DomainKind, limits: Limits) -> Self {
        Self { order: Order::new(kind, VERSION, limits), offset: 0 }
    }

    /// Bytes of the stream so far, page data included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the image header and the domain header. `header.kind` is that of the encoder.
    pub fn headers(&mut self, header: &DomainHeader, out: &mut Vec<u8>) {
        let before = out.len();
        header::write(header, out);
        self.offset += (out.len() - before) as u64;
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the record is not right or must not come now; nothing is appended then.
    pub fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        self.order.record(record).map_err(|fault| self.error(fault, record.record_type()))?;
        let before = out.len();
        encode::encode(record, out);
        let bytes = (out.len() - before) as u64;
        let length = bytes - RECORD_HEAD_LEN;
        if length > MAX_BODY.into() {
            out.truncate(before);
            let fault = Fault::TooLong { length, most: MAX_BODY.into() };
            return Err(self.error(fault, record.record_type()));
        }
        self.offset += bytes;
        Ok(())
    }

    /// Appends a `PAGE_DATA` record up to its page data: type, length, count, entries. The caller then writes 4096
    /// bytes for each entry that has data, in their order; no padding follows.
    ///
    /// # Errors
    /// When there are none or too many pages, or the guest cannot have such a page, or pages must not come now;
    /// nothing is appended then.
    pub fn pages(&mut self, entries: &[PageEntry], out: &mut Vec<u8>) -> Result<(), Error> {
        let length = self.check_pages(entries).map_err(|fault| self.error(fault, RecordType::PageData))?;
        encode::head(RecordType::PageData, length, out);
        // At most MAX_PAGE_ENTRIES: checked above.
        put32(out, u32::try_from(entries.len()).unwrap_or(u32::MAX));
        put32(out, 0);
        for entry in entries {
            put64(out, u64::from(entry.kind.nibble()) << TYPE_SHIFT | entry.pfn.0);
        }
        self.offset += RECORD_HEAD_LEN + u64::from(length);
        Ok(())
    }

    fn check_pages(&mut self, entries: &[PageEntry]) -> Result<u32, Fault> {
        self.order.page_data()?;
        page_data::check_count(entries.len() as u64)?;
        entries.iter().try_for_each(|entry| self.order.page(*entry))?;
        let length = page_data::body_len(entries);
        match u32::try_from(length) {
            Ok(length) if length <= REC_LENGTH_MAX => Ok(length),
            _ => Err(Fault::TooLong { length, most: REC_LENGTH_MAX.into() }),
        }
    }

    fn error(&self, fault: Fault, record_type: RecordType) -> Error {
        fault.at(Layer::Libxc, Some(record_type.name()), self.offset)
    }
}
