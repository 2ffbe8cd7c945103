//! What is in a saved domain, counted.

use std::io::Read;

use super::{Event, Pages, RecordLine, walk};
use crate::libxc::{DomainHeader, Limits};
use crate::{Error, Input, Layer, libxl, xl};

/// The headers of a libxc stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Libxc {
    /// The stream's version.
    pub version: u32,
    /// What the guest is.
    pub header: DomainHeader,
}

/// All records of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which stream they are in.
    pub layer: Layer,
    /// The name of the type.
    pub name: &'static str,
    /// Byte of the file at which the first one starts.
    pub first_at: u64,
    /// How many there are.
    pub count: u64,
    /// Bytes in their bodies, without padding.
    pub bytes: u64,
}

/// What is in a saved domain, up to its end or the first error.
#[derive(Debug, Default)]
pub struct Summary {
    /// xl's header.
    pub xl: Option<xl::Header>,
    /// libxl's header.
    pub libxl: Option<libxl::Header>,
    /// libxc's headers.
    pub libxc: Option<Libxc>,
    /// The record types in the order in which they first came.
    pub rows: Vec<Row>,
    /// The pages.
    pub pages: Pages,
    /// Byte of the file behind the last record; `None` when it was not reached.
    pub end: Option<u64>,
    /// How many reserved fields and paddings were not zero.
    pub warnings: u64,
    /// Bytes of the file behind its last record.
    pub trailing: u64,
    /// What is wrong.
    pub error: Option<Error>,
}

impl Summary {
    /// Reads a saved domain.
    pub fn read<R: Read>(input: Input<R>, limits: Limits) -> Self {
        Self::read_with(input, limits, |_| {})
    }

    /// Reads a saved domain and also tells `each` about every record when it was read.
    pub fn read_with<R: Read>(input: Input<R>, limits: Limits, mut each: impl FnMut(&RecordLine)) -> Self {
        let mut summary = Self::default();
        let end = walk(input, limits, &mut |event| {
            if let Event::Record(line) = &event {
                each(line);
            }
            summary.add(event);
        });
        match end.and_then(|mut input| input.rest()) {
            Ok(trailing) => summary.trailing = trailing,
            Err(error) => summary.error = Some(error),
        }
        summary
    }

    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Xl(header) => self.xl = Some(header.clone()),
            Event::Libxl(header) => self.libxl = Some(header),
            Event::Libxc { version, header } => self.libxc = Some(Libxc { version, header: *header }),
            Event::Record(line) => self.count(line),
            Event::Pages(entries) => self.pages.add(entries),
            Event::End { offset, warnings } => (self.end, self.warnings) = (Some(offset), warnings),
        }
    }

    fn count(&mut self, line: RecordLine) {
        let RecordLine { layer, offset, name, length } = line;
        let length = u64::from(length);
        match self.rows.iter_mut().find(|row| (row.layer, row.name) == (layer, name)) {
            Some(row) => {
                row.count += 1;
                row.bytes += length;
            }
            None => self.rows.push(Row { layer, name, first_at: offset, count: 1, bytes: length }),
        }
    }
}
