//! The libxc stream, from bytes to records.

use std::io::Read;

use byteorder::{ByteOrder, LE};

use super::record_type::OPTIONAL;
use super::{
    Body, DomainHeader, Limits, MAX_BODY, Order, PageData, REC_LENGTH_MAX, Record, RecordType, decode,
    header, page_data,
};
use crate::{Error, Fault, Input, Layer, PageEntry};

/// The eight bytes that every record starts with, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHead {
    /// Byte of the file at which the record starts.
    pub offset: u64,
    /// The number of its type.
    pub number: u32,
    /// Bytes in its body, without padding.
    pub length: u32,
}

impl RecordHead {
    /// The name of its type, if it is a known one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        RecordType::from_number(self.number).map(RecordType::name)
    }
}

/// What [`Reader::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A `PAGE_DATA` record: its entries are in the caller's vector, its data comes from [`Reader::data`].
    Pages,
    /// Any other record.
    Record(Record),
    /// A record of an unknown, optional type, skipped.
    Skipped {
        /// The number of its type.
        record_type: u32,
    },
}

/// Reads a libxc stream and checks all of it: layout, values, order.
///
/// It reads exactly the stream: not one byte behind `END` or `CHECKPOINT`, for those belong to somebody else.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    header: DomainHeader,
    version: u32,
    order: Order,
    head: RecordHead,
    data_left: u64,
}

impl<R: Read> Reader<R> {
    /// Reads both headers.
    ///
    /// # Errors
    /// When they are not those of a stream that can be read here.
    pub fn new(mut input: Input<R>, limits: Limits) -> Result<Self, Error> {
        let offset = input.offset();
        let version = header::read_image(&mut input).map_err(|f| f.at(Layer::Libxc, None, offset))?;
        let offset = input.offset();
        let header = header::read_domain(&mut input).map_err(|f| f.at(Layer::Libxc, None, offset))?;
        let order = Order::new(header.kind, version, limits);
        Ok(Self { input, header, version, order, head: RecordHead::default(), data_left: 0 })
    }

    /// What the guest is.
    pub fn header(&self) -> &DomainHeader {
        &self.header
    }

    /// The stream's version, 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What was seen so far.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The head of the last record.
    pub fn head(&self) -> RecordHead {
        self.head
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// How many reserved fields and paddings so far were not zero.
    pub fn warnings(&self) -> u64 {
        self.input.warnings()
    }

    /// Lowers or raises the page limit, when the target that the stream is for becomes known.
    pub fn set_pfn_limit(&mut self, pfn_limit: u64) {
        self.order.set_pfn_limit(pfn_limit);
    }

    /// The reader below, at the byte behind the last one read.
    pub fn into_inner(self) -> Input<R> {
        self.input
    }

    /// Reads the next record. For `PAGE_DATA`, `entries` is what the pages are; otherwise it is empty. Page data
    /// that the caller did not read is skipped.
    ///
    /// # Errors
    /// When the record is not right, or must not come now, or after `END`. The stream cannot be read on then.
    pub fn next(&mut self, entries: &mut Vec<PageEntry>) -> Result<Item, Error> {
        entries.clear();
        self.skip_data().map_err(|fault| self.error(fault))?;
        self.head = RecordHead { offset: self.input.offset(), ..RecordHead::default() };
        if self.order.ended() {
            return Err(Fault::AfterEnd.at(Layer::Libxc, None, self.head.offset));
        }
        self.read_head().and_then(|()| self.read_body(entries)).map_err(|fault| self.error(fault))
    }

    /// The page data of the `PAGE_DATA` record that [`Self::next`] returned, from the first byte not yet read.
    pub fn data(&mut self) -> PageData<'_, R> {
        PageData::new(&mut self.input, &mut self.data_left, self.head.offset)
    }

    fn error(&self, fault: Fault) -> Error {
        // Before the type is known there is no name, though its number, 0, would have one.
        let known = self.input.offset() > self.head.offset;
        let name = if known { self.head.name() } else { None };
        fault.at(Layer::Libxc, name, self.head.offset)
    }

    fn skip_data(&mut self) -> Result<(), Fault> {
        self.input.discard(std::mem::take(&mut self.data_left))
    }

    fn read_head(&mut self) -> Result<(), Fault> {
        let bytes = self.input.array::<8>()?;
        self.head.number = LE::read_u32(&bytes);
        self.head.length = LE::read_u32(&bytes[4..]);
        if self.head.length > REC_LENGTH_MAX {
            return Err(Fault::TooLong { length: self.head.length.into(), most: REC_LENGTH_MAX.into() });
        }
        Ok(())
    }

    fn read_body(&mut self, entries: &mut Vec<PageEntry>) -> Result<Item, Fault> {
        match RecordType::from_number(self.head.number) {
            Some(RecordType::PageData) => self.read_pages(entries),
            Some(record_type) => self.read_record(record_type),
            None if self.head.number & OPTIONAL != 0 && !self.input.is_strict() => self.skip_record(),
            None => Err(Fault::UnknownRecord(self.head.number)),
        }
    }

    fn read_pages(&mut self, entries: &mut Vec<PageEntry>) -> Result<Item, Fault> {
        self.order.page_data()?;
        // Page data are whole pages, so a right length is a multiple of 8 and has no padding.
        let length = u64::from(self.head.length);
        self.data_left = page_data::read_head(&mut self.input, length, &self.order, entries)?;
        Ok(Item::Pages)
    }

    fn read_record(&mut self, record_type: RecordType) -> Result<Item, Fault> {
        let length = self.head.length;
        if length > MAX_BODY {
            return Err(Fault::TooLong { length: length.into(), most: MAX_BODY.into() });
        }
        let bytes = self.input.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
        self.input.padding(length.into())?;
        let Body { record, reserved } = decode(record_type, &bytes)?;
        if let Some((field, value)) = reserved {
            self.input.reserved(field, value)?;
        }
        self.order.record(&record)?;
        Ok(Item::Record(record))
    }

    fn skip_record(&mut self) -> Result<Item, Fault> {
        let length = u64::from(self.head.length);
        self.input.discard(length)?;
        self.input.padding(length)?;
        Ok(Item::Skipped { record_type: self.head.number })
    }
}
