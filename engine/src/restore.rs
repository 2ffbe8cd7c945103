//! The restore loop: reads a stream and builds a domain from it.

use std::io::{self, Read};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stream::libxc::{Item, Limits, Reader, Record};
use stream::{Input, PageEntry, Pfn};

use crate::digest::{MemoryDigest, page_digest};
use crate::seconds;
use crate::{BoxError, Context, Error, Event, PAGE_SIZE, PageBytes, PfnSet, Phase, TargetDomain};

/// How to restore.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Compute the digest of the memory received.
    pub digest: bool,
}

/// What a restore did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoreReport {
    /// Pages received with data, repeated ones counted each time.
    pub pages: u64,
    /// Pages that have memory at the end.
    pub populated: u64,
    /// Pages compared with a second copy from the source; 0 without `--debug`.
    pub compared: u64,
    /// Bytes of the libxc stream.
    pub bytes: u64,
    /// The digest of the memory received, if asked for.
    #[serde(skip)]
    pub digest: Option<u128>,
    /// From the first byte to the complete domain.
    #[serde(with = "seconds")]
    pub total: Duration,
}

/// Builds `target` from the libxc stream that starts at `input`'s next byte, and gives `input` back behind the
/// stream's last one.
///
/// **On `Ok` the target is complete and paused. On `Err` nothing of it is left.**
///
/// # Errors
/// The first thing wrong with the stream, a failure of the target, or an abort.
pub fn restore<R: Read, T: TargetDomain>(
    input: Input<R>,
    target: &mut T,
    options: RestoreOptions,
    context: &mut Context<'_>,
) -> Result<(RestoreReport, Input<R>), Error> {
    let result = build(input, target, options, context);
    if result.is_err() {
        target.discard();
    }
    result
}

fn build<R: Read, T: TargetDomain>(
    input: Input<R>,
    target: &mut T,
    options: RestoreOptions,
    context: &mut Context<'_>,
) -> Result<(RestoreReport, Input<R>), Error> {
    let (started, first_byte) = (context.clock.now(), input.offset());
    context.tell(Event::Phase(Phase::Receive));
    let limits = Limits::default();
    let mut reader = Reader::new(input, limits).map_err(|cause| unless_aborted(context, cause))?;
    target.begin(reader.header()).map_err(failed("taking this kind of guest"))?;
    reader.set_pfn_limit(target.pfn_limit().min(limits.pfn_limit));
    let mut restore = Restore::new(target, options, context);
    restore.receive(&mut reader)?;
    restore.complete()?;
    let input = reader.into_inner();
    let report = restore.report(input.offset() - first_byte, started);
    Ok((report, input))
}

/// What the comparison found.
#[derive(Clone, Copy, Debug)]
struct Difference {
    pages: u64,
    first: Pfn,
    /// The bytes of the first page that differ, from this to that one.
    bytes: (usize, usize),
}

struct Restore<'a, 'c, T> {
    target: &'a mut T,
    context: &'a mut Context<'c>,
    populated: PfnSet,
    digest: Option<MemoryDigest>,
    differing: Option<Difference>,
    verifying: bool,
    pages: u64,
    compared: u64,
    fresh: Vec<Pfn>,
    gone: Vec<Pfn>,
    data: Vec<PageEntry>,
    page: Box<PageBytes>,
}

impl<'a, 'c, T: TargetDomain> Restore<'a, 'c, T> {
    fn new(target: &'a mut T, options: RestoreOptions, context: &'a mut Context<'c>) -> Self {
        let limit = target.pfn_limit();
        Self {
            target,
            context,
            populated: PfnSet::empty(limit),
            digest: options.digest.then(|| MemoryDigest::new(limit)),
            differing: None,
            verifying: false,
            pages: 0,
            compared: 0,
            fresh: Vec::new(),
            gone: Vec::new(),
            data: Vec::new(),
            page: Box::new([0; PAGE_SIZE]),
        }
    }

    /// Reads up to and including `END`.
    fn receive<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), Error> {
        let mut entries = Vec::new();
        loop {
            self.context.check_abort()?;
            match self.readable(reader.next(&mut entries))? {
                Item::Pages => self.pages(&entries, reader)?,
                Item::Record(Record::End) => return self.compared_equal(),
                Item::Record(Record::Verify) => self.verifying = true,
                Item::Record(record) => self.target.record(record).map_err(failed("taking the state"))?,
                Item::Skipped { record_type } => self.context.tell(Event::Skipped { record_type }),
            }
        }
    }

    fn pages<R: Read>(&mut self, entries: &[PageEntry], reader: &mut Reader<R>) -> Result<(), Error> {
        no_page_twice(entries)?;
        self.data.clear();
        self.data.extend(entries.iter().filter(|entry| entry.kind.has_data()));
        if self.verifying {
            return self.compare(reader);
        }
        self.match_population(entries)?;
        let written = self.target.write(&self.data, &mut reader.data());
        self.written(written)?;
        self.pages += self.data.len() as u64;
        self.context.tell(Event::Pages { handled: self.pages, planned: 0 });
        self.update_digest()
    }

    /// Gives memory to the pages that need it, and takes it from those that became holes.
    fn match_population(&mut self, entries: &[PageEntry]) -> Result<(), Error> {
        self.fresh.clear();
        self.gone.clear();
        for entry in entries {
            if !entry.kind.is_populated() {
                if self.populated.remove(entry.pfn) {
                    self.gone.push(entry.pfn);
                }
            } else if self.populated.insert(entry.pfn) {
                self.fresh.push(entry.pfn);
            }
        }
        if !self.gone.is_empty() {
            self.target.depopulate(&self.gone).map_err(failed("taking pages back"))?;
        }
        if !self.fresh.is_empty() {
            self.target.populate(&self.fresh).map_err(failed("giving the guest memory"))?;
        }
        Ok(())
    }

    /// The stream repeats the pages of the suspended guest: they must be what we have.
    fn compare<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), Error> {
        let mut theirs = Box::new([0; PAGE_SIZE]);
        for &entry in &self.data {
            let read = reader.data().read_exact(&mut theirs[..]);
            self.written(read.map_err(BoxError::from))?;
            let same = self.populated.contains(entry.pfn) && {
                self.target.read(entry, &mut self.page).map_err(failed("reading a page back"))?;
                self.page == theirs
            };
            self.compared += 1;
            if !same {
                let found = Difference { pages: 0, first: entry.pfn, bytes: differing(&self.page, &theirs) };
                self.differing.get_or_insert(found).pages += 1;
            }
        }
        Ok(())
    }

    fn compared_equal(&self) -> Result<(), Error> {
        let Some(Difference { pages, first, bytes: (from, to) }) = self.differing else { return Ok(()) };
        Err(Error::Differ { pages, first, from, to })
    }

    fn update_digest(&mut self) -> Result<(), Error> {
        let Some(digest) = &mut self.digest else { return Ok(()) };
        self.gone.iter().for_each(|&pfn| digest.clear(pfn));
        for &entry in &self.data {
            self.target.read(entry, &mut self.page).map_err(failed("reading a page back"))?;
            digest.set(entry.pfn, page_digest(&self.page));
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Error> {
        self.context.tell(Event::Phase(Phase::Complete));
        let completed = self.target.complete();
        completed.map_err(|cause| Error::World { phase: Phase::Complete, step: "starting it", cause })
    }

    fn report(&self, bytes: u64, started: Duration) -> RestoreReport {
        RestoreReport {
            pages: self.pages,
            populated: self.populated.len(),
            compared: self.compared,
            bytes,
            digest: self.digest.as_ref().map(MemoryDigest::finish),
            total: self.context.clock.now() - started,
        }
    }
}

impl<T: TargetDomain> Restore<'_, '_, T> {
    /// A reader's error, seen as the abort that it may be.
    fn readable<V>(&self, result: Result<V, stream::Error>) -> Result<V, Error> {
        result.map_err(|cause| unless_aborted(self.context, cause))
    }

    /// The target read from the stream: the error may be the stream's.
    fn written(&self, result: Result<(), BoxError>) -> Result<(), Error> {
        result.map_err(|cause| match as_stream_error(cause) {
            Ok(cause) => unless_aborted(self.context, cause),
            Err(cause) => failed("writing the guest's pages")(cause),
        })
    }
}

/// Finds the stream's error in the `io::Error` that [`Reader::data`] wraps it in.
fn as_stream_error(cause: BoxError) -> Result<stream::Error, BoxError> {
    let io = cause.downcast::<io::Error>()?;
    if !io.get_ref().is_some_and(|inner| inner.is::<stream::Error>()) {
        return Err(io);
    }
    io.downcast::<stream::Error>().map_err(Into::into)
}

fn no_page_twice(entries: &[PageEntry]) -> Result<(), Error> {
    if entries.is_sorted_by(|a, b| a.pfn < b.pfn) {
        return Ok(());
    }
    let mut pfns: Vec<Pfn> = entries.iter().map(|entry| entry.pfn).collect();
    pfns.sort_unstable();
    let twice = pfns.windows(2).find(|pair| pair[0] == pair[1]);
    twice.map_or(Ok(()), |pair| Err(Error::Twice { phase: Phase::Receive, pfn: pair[0] }))
}

/// A link that was aborted looks like a stream that cannot be read.
fn unless_aborted(context: &Context<'_>, cause: stream::Error) -> Error {
    context.check_abort().err().unwrap_or(Error::Receive { phase: Phase::Receive, cause })
}

fn failed(step: &'static str) -> impl Fn(BoxError) -> Error {
    move |cause| Error::World { phase: Phase::Receive, step, cause }
}

/// The first and the last byte that differ; of a page that is missing, all.
fn differing(ours: &PageBytes, theirs: &PageBytes) -> (usize, usize) {
    let differs = |&at: &usize| ours[at] != theirs[at];
    let (from, to) = ((0..PAGE_SIZE).find(differs), (0..PAGE_SIZE).rfind(differs));
    (from.unwrap_or(0), to.unwrap_or(PAGE_SIZE - 1))
}
