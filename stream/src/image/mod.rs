//! A saved domain as a whole: any of the three layers, down to the last record.

mod pages;
mod summary;

use std::io::Read;

use crate::libxc::{DomainHeader, Item, Limits, Reader};
use crate::{Error, Fault, Input, Layer, PageEntry, Peeked, libxc, libxl, xl};

pub use pages::{MAX_CHUNKS, Pages};
pub use summary::{Libxc, Row, Summary};

/// The bytes that tell the layers apart.
const MAGIC_LEN: usize = 8;

/// The reader of a file whose first bytes were looked at.
pub type Source<R> = Peeked<R, MAGIC_LEN>;

/// A record of the libxl or the libxc stream, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Which stream.
    pub layer: Layer,
    /// Byte of the file at which the record starts.
    pub offset: u64,
    /// The name of its type; "unknown" for a skipped one.
    pub name: &'static str,
    /// Bytes in its body, without padding.
    pub length: u32,
}

/// What [`walk`] met.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// xl's header.
    Xl(&'a xl::Header),
    /// libxl's header.
    Libxl(libxl::Header),
    /// The headers of the libxc stream.
    Libxc {
        /// The stream's version.
        version: u32,
        /// What the guest is.
        header: &'a DomainHeader,
    },
    /// Any record, before its [`Event::Pages`].
    Record(RecordLine),
    /// The entries of a `PAGE_DATA` record.
    Pages(&'a [PageEntry]),
    /// The last record ended.
    End {
        /// Byte of the file behind it.
        offset: u64,
        /// How many reserved fields and paddings were not zero.
        warnings: u64,
    },
}

/// Reads a saved domain to its last record, not further, and tells `visit` what is in it.
///
/// # Errors
/// The first thing that is wrong.
pub fn walk<R: Read>(
    input: Input<R>,
    limits: Limits,
    visit: &mut dyn FnMut(Event<'_>),
) -> Result<Input<Source<R>>, Error> {
    let (layer, input) = enter(input, visit)?;
    let mut input = walk_libxc(input, limits, visit)?;
    if layer != Layer::Libxc {
        leave_libxc(&mut input, visit)?;
    }
    visit(Event::End { offset: input.offset(), warnings: input.warnings() });
    Ok(input)
}

/// Reads all that comes before the libxc stream. Returns the outermost layer, and the input at the libxc stream.
///
/// # Errors
/// The first thing that is wrong.
pub fn enter<R: Read>(
    input: Input<R>,
    visit: &mut dyn FnMut(Event<'_>),
) -> Result<(Layer, Input<Source<R>>), Error> {
    let offset = input.offset();
    let (magic, mut input) = input.peek::<MAGIC_LEN>().map_err(|fault| fault.at(Layer::Xl, None, offset))?;
    let layer = layer_of(magic).map_err(|fault| fault.at(Layer::Xl, None, offset))?;
    if layer == Layer::Xl {
        visit(Event::Xl(&xl::Header::read(&mut input)?));
    }
    if layer != Layer::Libxc {
        visit(Event::Libxl(libxl::Header::read(&mut input)?));
        enter_libxc(&mut input, visit)?;
    }
    Ok((layer, input))
}

fn layer_of(magic: [u8; MAGIC_LEN]) -> Result<Layer, Fault> {
    let number = u64::from_be_bytes(magic);
    match number {
        libxc::MARKER => Ok(Layer::Libxc),
        libxl::IDENT => Ok(Layer::Libxl),
        _ if xl::MAGIC.starts_with(&magic) => Ok(Layer::Xl),
        _ => Err(Fault::NoImage(number)),
    }
}

fn enter_libxc<R: Read>(input: &mut Input<R>, visit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
    let offset = input.offset();
    match read_libxl(input, visit)? {
        libxl::Record::LibxcContext => Ok(()),
        _ => Err(Fault::NoLibxcContext.at(Layer::Libxl, None, offset)),
    }
}

/// Reads the libxl records behind the libxc stream.
fn leave_libxc<R: Read>(input: &mut Input<R>, visit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
    loop {
        let offset = input.offset();
        match read_libxl(input, visit)? {
            libxl::Record::End => return Ok(()),
            libxl::Record::LibxcContext => {
                return Err(Fault::Twice.at(Layer::Libxl, Some("LIBXC_CONTEXT"), offset));
            }
            _ => {}
        }
    }
}

fn read_libxl<R: Read>(
    input: &mut Input<R>,
    visit: &mut dyn FnMut(Event<'_>),
) -> Result<libxl::Record, Error> {
    let (head, record) = libxl::Record::read(input)?;
    let libxl::Head { offset, name, length } = head;
    visit(Event::Record(RecordLine { layer: Layer::Libxl, offset, name, length }));
    Ok(record)
}

fn walk_libxc<R: Read>(
    input: Input<R>,
    limits: Limits,
    visit: &mut dyn FnMut(Event<'_>),
) -> Result<Input<R>, Error> {
    let mut reader = Reader::new(input, limits)?;
    visit(Event::Libxc { version: reader.version(), header: reader.header() });
    let mut entries = Vec::new();
    while !reader.order().ended() {
        let item = reader.next(&mut entries)?;
        visit(Event::Record(line(&reader)));
        if item == Item::Pages {
            visit(Event::Pages(&entries));
        }
    }
    Ok(reader.into_inner())
}

fn line<R: Read>(reader: &Reader<R>) -> RecordLine {
    let libxc::RecordHead { offset, length, .. } = reader.head();
    RecordLine { layer: Layer::Libxc, offset, name: reader.head().name().unwrap_or("unknown"), length }
}
