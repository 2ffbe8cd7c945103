//! How the reader reads: no byte too many, no copy, errors that say where.

use std::error::Error as _;
use std::io::{self, Read};

use stream::libxc::{Item, Limits, Reader, Record, RecordType};
use stream::{Error, Fault, Input, PAGE_SIZE, libxl};

use crate::support::{Got, hvm, pages, pv, ram, raw_record, read_all, read_plain};

/// Gives one byte at a time.
struct Dribble<R>(R);

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(1);
        self.0.read(&mut buf[..len])
    }
}

/// Remembers where the buffers were that it was asked to fill, and fails after so many bytes.
struct Watched<'a> {
    bytes: &'a [u8],
    left: usize,
    largest: usize,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        self.largest = self.largest.max(buf.len());
        let len = buf.len().min(self.left);
        self.left -= len;
        self.bytes.read(&mut buf[..len])
    }
}

#[test]
fn a_slow_link_gives_the_same_records() {
    for parts in [hvm(), pv()] {
        let bytes = parts.bytes();
        let slow = read_all(Input::strict(Dribble(&bytes[..])), Limits::default()).unwrap();
        assert_eq!(read_plain(&bytes).unwrap(), slow);
    }
}

#[test]
fn the_bytes_after_the_end_are_left_alone() {
    let bytes = [hvm().bytes(), b"somebody else's".to_vec()].concat();
    let mut reader = Reader::new(Input::new(&bytes[..]), Limits::default()).unwrap();
    let mut entries = Vec::new();
    while !reader.order().ended() {
        reader.next(&mut entries).unwrap();
    }
    assert_eq!(b"somebody else's", reader.into_inner().into_inner());
}

#[test]
fn a_libxl_stream_goes_on_behind_the_libxc_stream() {
    let mut bytes = Vec::new();
    libxl::Record::LibxcContext.write(&mut bytes).unwrap();
    bytes.extend(hvm().bytes());
    libxl::Record::End.write(&mut bytes).unwrap();

    let mut input = Input::new(&bytes[..]);
    libxl::Record::read(&mut input).unwrap();
    let mut reader = Reader::new(input, Limits::default()).unwrap();
    let mut entries = Vec::new();
    while !reader.order().ended() {
        reader.next(&mut entries).unwrap();
    }
    let mut input = reader.into_inner();
    let (head, record) = libxl::Record::read(&mut input).unwrap();
    assert_eq!((libxl::Record::End, bytes.len() as u64 - 8), (record, head.offset));
}

fn at_pages<R: Read>(input: Input<R>) -> Reader<R> {
    let mut reader = Reader::new(input, Limits::default()).unwrap();
    let mut entries = Vec::new();
    while reader.next(&mut entries).unwrap() != Item::Pages {}
    assert_eq!(3, entries.len());
    reader
}

#[test]
fn page_data_goes_straight_into_the_callers_buffer() {
    let bytes = hvm().bytes();
    let mut watched = Watched { bytes: &bytes, left: usize::MAX, largest: 0 };
    let mut reader = at_pages(Input::new(&mut watched));
    let mut both = [0; 2 * PAGE_SIZE];
    reader.data().read_exact(&mut both).unwrap();
    assert_eq!([0; PAGE_SIZE], both[..PAGE_SIZE]);
    assert_eq!([1; PAGE_SIZE], both[PAGE_SIZE..]);
    assert_eq!(0, reader.data().read(&mut both).unwrap());
    assert_eq!(2 * PAGE_SIZE, watched.largest);
}

#[test]
fn page_data_ends_with_its_record() {
    let bytes = hvm().bytes();
    let mut reader = at_pages(Input::new(&bytes[..]));
    let mut three = vec![0; 3 * PAGE_SIZE];
    let error = reader.data().read_exact(&mut three).unwrap_err();
    assert_eq!(io::ErrorKind::UnexpectedEof, error.kind());
    let mut data = Vec::new();
    reader.data().read_to_end(&mut data).unwrap();
    assert_eq!(2 * PAGE_SIZE, data.len());
}

#[test]
fn unread_page_data_is_skipped() {
    let bytes = hvm().bytes();
    let mut reader = at_pages(Input::new(&bytes[..]));
    reader.data().read_exact(&mut [0; 10]).unwrap();
    let mut entries = Vec::new();
    let item = reader.next(&mut entries).unwrap();
    assert!(matches!(item, Item::Record(Record::TscInfo(_))), "{item:?}");
    assert!(entries.is_empty());
}

#[test]
fn a_failing_link_is_the_cause_of_the_error() {
    let bytes = hvm().bytes();
    for left in 0..bytes.len() {
        let error =
            read_all(Input::new(Watched { bytes: &bytes, left, largest: 0 }), Limits::default()).unwrap_err();
        let cause = error.source().and_then(|e| e.downcast_ref::<io::Error>()).unwrap();
        assert_eq!(io::ErrorKind::Interrupted, cause.kind(), "after {left} bytes: {error}");
    }
}

#[test]
fn an_error_in_page_data_is_found_inside_the_io_error() {
    let bytes = hvm().bytes();
    let mut reader = at_pages(Input::new(&bytes[..bytes.len() / 2]));
    let error = reader.data().read_exact(&mut [0; 2 * PAGE_SIZE]).unwrap_err();
    let inner = error.into_inner().unwrap().downcast::<Error>().unwrap();
    assert_eq!((Some("PAGE_DATA"), 104), (inner.record, inner.offset));
    assert!(matches!(inner.fault, Fault::Truncated { wanted: 8192, .. }), "{inner}");
}

#[test]
fn an_error_says_where() {
    let bad = hvm().replace(RecordType::PageData, &crate::support::page_record(0, &[], &[]));
    let error = read_plain(&bad.bytes()).unwrap_err();
    assert_eq!("libxc stream, PAGE_DATA at byte 104: count 0, at least 1 expected", error.to_string());
    let unknown = hvm().before(RecordType::CpuidPolicy, &raw_record(0x55, &[]));
    let error = read_plain(&unknown.bytes()).unwrap_err();
    assert_eq!("libxc stream at byte 40: unknown record type 0x55", error.to_string());
}

#[test]
fn many_entries_come_in_their_order() {
    let entries: Vec<_> =
        (0..2500).map(|pfn| stream::PageEntry { kind: stream::PageType::XTab, ..ram(pfn) }).collect();
    let parts = hvm().replace(RecordType::PageData, &pages(&entries));
    let all = read_plain(&parts.bytes()).unwrap();
    assert!(all.contains(&Got::Pages(entries, vec![])));
}
