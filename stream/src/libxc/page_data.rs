//! The head of a `PAGE_DATA` record, and the page data behind it.

use std::io::{self, Read};

use byteorder::{ByteOrder, LE};

use super::{MAX_PAGE_ENTRIES, Order, RecordType};
use crate::{Error, Fault, Input, Layer, PAGE_SIZE, PageEntry, PageType, Pfn};

/// Bytes before the entries: count and reserved.
const HEAD_LEN: usize = 8;
/// Bytes of an entry.
const ENTRY_LEN: usize = 8;
/// Entries read at a time.
const CHUNK: usize = 1024;
/// The page type is in the top four bits of an entry.
pub(super) const TYPE_SHIFT: u32 = 60;
/// The pfn is in the low 52 bits; the bits between are reserved.
pub(super) const PFN_BITS: u32 = 52;

/// The length of a `PAGE_DATA` body.
pub(super) fn body_len(entries: &[PageEntry]) -> u64 {
    head_len(entries.len() as u64) + data_len(entries)
}

fn head_len(count: u64) -> u64 {
    HEAD_LEN as u64 + ENTRY_LEN as u64 * count
}

fn data_len(entries: &[PageEntry]) -> u64 {
    PAGE_SIZE as u64 * entries.iter().filter(|e| e.kind.has_data()).count() as u64
}

/// Reads count and entries of a body of `length` bytes; returns how many bytes of page data follow.
pub(super) fn read_head<R: Read>(
    input: &mut Input<R>,
    length: u64,
    order: &Order,
    entries: &mut Vec<PageEntry>,
) -> Result<u64, Fault> {
    at_least(length, head_len(0))?;
    let head = input.array::<HEAD_LEN>()?;
    let count = u64::from(LE::read_u32(&head));
    check_count(count)?;
    at_least(length, head_len(count))?;
    input.reserved("reserved field", LE::read_u32(&head[4..]).into())?;

    read_entries(input, count, order, entries)?;
    let expected = body_len(entries);
    if length != expected {
        return Err(Fault::Length { length, expected });
    }
    Ok(data_len(entries))
}

fn at_least(length: u64, least: u64) -> Result<(), Fault> {
    if length < least { Err(Fault::TooShort { length, least }) } else { Ok(()) }
}

/// Checks how many entries a record has.
pub(super) fn check_count(count: u64) -> Result<(), Fault> {
    let most = u64::from(MAX_PAGE_ENTRIES);
    match count {
        0 => Err(Fault::NoPages),
        _ if count > most => Err(Fault::TooManyPages { count, most }),
        _ => Ok(()),
    }
}

fn read_entries<R: Read>(
    input: &mut Input<R>,
    count: u64,
    order: &Order,
    entries: &mut Vec<PageEntry>,
) -> Result<(), Fault> {
    let mut buf = [0; CHUNK * ENTRY_LEN];
    for first in (0..count).step_by(CHUNK) {
        // At most CHUNK: always fits.
        let n = usize::try_from(count - first).unwrap_or(CHUNK).min(CHUNK);
        let part = &mut buf[..n * ENTRY_LEN];
        input.exact(part)?;
        for (index, raw) in (first..).zip(part.chunks_exact(ENTRY_LEN)) {
            let entry = read_entry(input, LE::read_u64(raw), index)?;
            order.page(entry)?;
            entries.push(entry);
        }
    }
    Ok(())
}

fn read_entry<R>(input: &mut Input<R>, raw: u64, index: u64) -> Result<PageEntry, Fault> {
    // Four bits: always fits.
    let nibble = u8::try_from(raw >> TYPE_SHIFT).unwrap_or(u8::MAX);
    let kind = PageType::from_nibble(nibble).ok_or(Fault::PageType { index, nibble })?;
    let pfn = raw & ((1 << PFN_BITS) - 1);
    input.reserved("reserved bits of an entry", raw >> PFN_BITS & 0xff)?;
    Ok(PageEntry { pfn: Pfn(pfn), kind })
}

/// The page data of one `PAGE_DATA` record, 4096 bytes for each entry that has data.
///
/// Reads go straight to the stream's own reader, into the caller's buffer. An error of it, as well as the end of
/// the stream, is an [`io::Error`] with the [`Error`] inside; the end of the record's data reads as end of file.
#[derive(Debug)]
pub struct PageData<'a, R> {
    input: &'a mut Input<R>,
    left: &'a mut u64,
    record_at: u64,
}

impl<'a, R: Read> PageData<'a, R> {
    pub(super) fn new(input: &'a mut Input<R>, left: &'a mut u64, record_at: u64) -> Self {
        Self { input, left, record_at }
    }

    fn error(&self, fault: Fault) -> io::Error {
        let kind = match &fault {
            // Left as it is, std would try again, and never see that the migration was aborted.
            Fault::Io(e) if e.kind() == io::ErrorKind::Interrupted => io::ErrorKind::Other,
            Fault::Io(e) => e.kind(),
            Fault::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error_at(fault, self.record_at))
    }
}

/// Says that something is wrong in the `PAGE_DATA` record at `offset`.
fn error_at(fault: Fault, offset: u64) -> Error {
    fault.at(Layer::Libxc, Some(RecordType::PageData.name()), offset)
}

impl<R: Read> Read for PageData<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(*self.left).unwrap_or(usize::MAX).min(buf.len());
        if wanted == 0 {
            return Ok(0);
        }
        match self.input.some(&mut buf[..wanted]) {
            Ok(0) => Err(self.error(Fault::Truncated { wanted: *self.left, got: 0 })),
            Ok(n) => {
                *self.left -= n as u64;
                Ok(n)
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        if buf.len() as u64 > *self.left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.input.exact(buf).map_err(|fault| self.error(fault))?;
        *self.left -= buf.len() as u64;
        Ok(())
    }
}
