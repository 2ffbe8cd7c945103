//! Parts of a saved domain, copied out.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};

use stream::image::{Event, enter, walk};
use stream::libxc::{Item, Limits, Reader};
use stream::{Input, PAGE_SIZE, PageEntry, Pfn, xl};

use super::args::{Extract, Layer, Part};
use super::error::Error;
use super::source::{self, STANDARD};

/// Copies the part to its file, or to `out`.
pub(super) fn run(extract: &Extract, out: &mut dyn Write) -> Result<(), Error> {
    let input = Input::new(source::open(&extract.file)?);
    let from = From { file: source::shown(&extract.file), input };
    if extract.out == STANDARD {
        return from.part(extract, out, STANDARD);
    }
    to_file(from, extract)
}

/// Leaves no part of a part: what could not be completed is removed.
fn to_file(from: From<'_>, extract: &Extract) -> Result<(), Error> {
    let name = &extract.out;
    let cannot_write = |source| Error::Write { file: name.clone(), source };
    let mut file = BufWriter::new(File::create(name).map_err(cannot_write)?);
    let done = from.part(extract, &mut file, name).and_then(|()| file.flush().map_err(cannot_write));
    if done.is_err() && fs::metadata(name).is_ok_and(|is| is.is_file()) {
        // The error that is reported is the one that brought us here.
        let _ = fs::remove_file(name);
    }
    done
}

/// A saved domain that is read from.
struct From<'a> {
    file: &'a str,
    input: Input<Box<dyn Read>>,
}

impl From<'_> {
    fn part(self, extract: &Extract, out: &mut dyn Write, name: &str) -> Result<(), Error> {
        let bytes = match extract.part {
            Part { layer: Some(layer), .. } => return self.layer(layer, out, name),
            Part { page: Some(pfn), .. } => self.page(pfn)?,
            // The command line demands one of the three.
            Part { .. } => self.config()?,
        };
        out.write_all(&bytes).map_err(|source| Error::Write { file: name.to_owned(), source })
    }

    fn config(self) -> Result<Vec<u8>, Error> {
        let mut config = None;
        let visit = &mut |event: Event<'_>| {
            if let Event::Xl(xl::Header { config: text }) = event {
                config = Some(text.clone());
            }
        };
        enter(self.input, visit).map_err(|e| stream_error(self.file, e))?;
        let missing = || Error::NoPart { file: self.file.to_owned(), part: "configuration" };
        config.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// Copies a stream while it is checked: it ends where its last record ends.
    fn layer(mut self, layer: Layer, out: &mut dyn Write, name: &str) -> Result<(), Error> {
        let ignore = &mut |_: Event<'_>| {};
        let mut failed = None;
        let copied = match layer {
            Layer::Libxc => enter(self.input, ignore).and_then(|(_, input)| copy(input, out, &mut failed)),
            Layer::Libxl => {
                xl::Header::read(&mut self.input).and_then(|_| copy(self.input, out, &mut failed))
            }
        };
        match failed {
            Some(source) => Err(Error::Write { file: name.to_owned(), source }),
            None => copied.map_err(|e| stream_error(self.file, e)),
        }
    }

    /// The last content of a page.
    fn page(self, pfn: Pfn) -> Result<Vec<u8>, Error> {
        let file = self.file.to_owned();
        match last_page(self.input, pfn) {
            Err(source) => Err(Error::Read { file, source }),
            Ok(None) => Err(Error::NoPage { file, pfn }),
            Ok(Some((PageEntry { kind, .. }, _))) if !kind.has_data() => {
                Err(Error::NoData { file, pfn, kind })
            }
            Ok(Some((_, data))) => Ok(data.to_vec()),
        }
    }
}

fn stream_error(file: &str, source: stream::Error) -> Error {
    Error::Stream { file: file.to_owned(), source }
}

/// Copies the streams that `input` is at the start of. A failure of `out` is left in `failed`.
fn copy<R: Read>(
    input: Input<R>,
    out: &mut dyn Write,
    failed: &mut Option<io::Error>,
) -> Result<(), stream::Error> {
    let input = input.map(|from| Tee { from, to: out, failed });
    walk(input, Limits::default(), &mut |_| {}).map(drop)
}

/// Writes whatever is read.
struct Tee<'a, R> {
    from: R,
    to: &'a mut dyn Write,
    failed: &'a mut Option<io::Error>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.to.write_all(&buf[..n]).map_err(|e| {
            let kind = e.kind();
            *self.failed = Some(e);
            kind
        })?;
        Ok(n)
    }
}

type Page = [u8; PAGE_SIZE];

/// The last entry for a page, and the data with it.
fn last_page(input: Input<Box<dyn Read>>, pfn: Pfn) -> io::Result<Option<(PageEntry, Page)>> {
    let (_, input) = enter(input, &mut |_| {}).map_err(io::Error::other)?;
    let mut reader = Reader::new(input, Limits::default()).map_err(io::Error::other)?;
    let mut entries = Vec::new();
    let mut found = None;
    while !reader.order().ended() {
        let item = reader.next(&mut entries).map_err(io::Error::other)?;
        if item == Item::Pages && entries.iter().any(|entry| entry.pfn == pfn) {
            found = last_of(&entries, &mut reader.data(), pfn)?;
        }
    }
    Ok(found)
}

/// The same in one `PAGE_DATA` record.
fn last_of(entries: &[PageEntry], data: &mut dyn Read, pfn: Pfn) -> io::Result<Option<(PageEntry, Page)>> {
    let mut found = None;
    for entry in entries {
        let mut page = [0; PAGE_SIZE];
        if entry.kind.has_data() {
            data.read_exact(&mut page)?;
        }
        if entry.pfn == pfn {
            found = Some((*entry, page));
        }
    }
    Ok(found)
}
