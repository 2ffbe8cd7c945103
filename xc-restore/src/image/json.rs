//! What `xc-image --json` prints. The field names are an interface: scripts read them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use stream::Error as StreamError;
use stream::image::{Libxc, Pages, Row, Summary};

/// Prints the whole summary as one JSON object.
pub(super) fn summary(summary: &Summary, error: Option<&StreamError>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Json::new(summary, error))?;
    writeln!(out)
}

#[derive(Serialize)]
struct Json<'a> {
    good: bool,
    error: Option<JsonError<'a>>,
    xl: Option<JsonXl>,
    libxl: Option<JsonLibxl>,
    libxc: Option<JsonLibxc>,
    records: Vec<JsonRow>,
    pages: JsonPages,
    end: Option<u64>,
    trailing_bytes: u64,
    warnings: u64,
}

#[derive(Serialize)]
struct JsonError<'a> {
    layer: &'static str,
    offset: u64,
    record: Option<&'a str>,
    message: String,
}

#[derive(Serialize)]
struct JsonXl {
    config_bytes: usize,
}

#[derive(Serialize)]
struct JsonLibxl {
    legacy: bool,
}

#[derive(Serialize)]
struct JsonLibxc {
    version: u32,
    guest: String,
    xen_major: u32,
    xen_minor: u32,
}

#[derive(Serialize)]
struct JsonRow {
    layer: &'static str,
    name: &'static str,
    first_at: u64,
    count: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct JsonPages {
    entries: u64,
    distinct: Option<u64>,
    sent_again: Option<u64>,
    highest_pfn: Option<u64>,
    types: BTreeMap<String, u64>,
}

impl<'a> Json<'a> {
    fn new(summary: &Summary, error: Option<&'a StreamError>) -> Self {
        Self {
            good: error.is_none(),
            error: error.map(JsonError::new),
            xl: summary.xl.as_ref().map(|xl| JsonXl { config_bytes: xl.config.len() }),
            libxl: summary.libxl.map(|libxl| JsonLibxl { legacy: libxl.legacy }),
            libxc: summary.libxc.map(JsonLibxc::new),
            records: summary.rows.iter().map(JsonRow::new).collect(),
            pages: JsonPages::new(&summary.pages),
            end: summary.end,
            trailing_bytes: summary.trailing,
            warnings: summary.warnings,
        }
    }
}

impl<'a> JsonError<'a> {
    fn new(error: &'a StreamError) -> Self {
        let StreamError { layer, offset, record, fault } = error;
        Self { layer: layer.short(), offset: *offset, record: *record, message: fault.to_string() }
    }
}

impl JsonLibxc {
    fn new(libxc: Libxc) -> Self {
        let Libxc { version, header } = libxc;
        let (xen_major, xen_minor) = (header.xen_major, header.xen_minor);
        Self { version, guest: header.kind.to_string(), xen_major, xen_minor }
    }
}

impl JsonRow {
    fn new(row: &Row) -> Self {
        let Row { layer, name, first_at, count, bytes } = *row;
        Self { layer: layer.short(), name, first_at, count, bytes }
    }
}

impl JsonPages {
    fn new(pages: &Pages) -> Self {
        Self {
            entries: pages.total(),
            distinct: pages.distinct(),
            sent_again: pages.sent_again(),
            highest_pfn: pages.highest().map(|pfn| pfn.0),
            types: pages.types().iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
        }
    }
}
