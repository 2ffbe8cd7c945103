//! The pages of one stream, on their way into the guest's memory.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use stream::libxc::{Item, Reader, Record};
use stream::{PageEntry, Pfn};

use super::failure::{failed, unless_aborted, written};
use crate::digest::{MemoryDigest, page_digest};
use crate::lane::Lanes;
use crate::{Abort, BoxError, Error, PAGE_SIZE, PageBytes, PfnSet, Phase, TargetMemory};

/// What the streams of one guest have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    pub(super) lanes: Lanes,
    pub(super) pfn_limit: u64,
    /// Whether the digest of the memory is asked for.
    pub(super) digest: bool,
    /// Pages that came so far, by all streams.
    pub(super) came: &'a AtomicU64,
}

/// What came by one stream, or by several.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) pages: u64,
    pub(super) populated: u64,
    pub(super) compared: u64,
    pub(super) bytes: u64,
    pub(super) digest: Option<MemoryDigest>,
    differing: Option<Difference>,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug)]
struct Difference {
    pages: u64,
    first: Pfn,
    /// The bytes of the first page that differ, from this to that one.
    bytes: (usize, usize),
}

impl Received {
    /// Adds what came by another stream: other pages.
    pub(super) fn add(&mut self, other: &Self) {
        self.pages += other.pages;
        self.populated += other.populated;
        self.compared += other.compared;
        self.bytes += other.bytes;
        if let (Some(all), Some(more)) = (&mut self.digest, &other.digest) {
            all.absorb(more);
        }
        self.differing = match (self.differing, other.differing) {
            (Some(one), Some(two)) => {
                let first = if one.first < two.first { one } else { two };
                Some(Difference { pages: one.pages + two.pages, ..first })
            }
            (one, two) => one.or(two),
        };
    }

    /// That no page was found to differ.
    pub(super) fn compared_equal(&self) -> Result<(), Error> {
        let Some(Difference { pages, first, bytes: (from, to) }) = self.differing else { return Ok(()) };
        Err(Error::Differ { pages, first, from, to })
    }
}

/// What else a stream has, and how far it is.
pub(super) enum Found {
    /// More pages came: so many by now, by all streams.
    Pages(u64),
    Record(Record),
    Skipped(u32),
}

/// Takes the pages of one stream.
pub(super) struct Pages<'a> {
    lane: usize,
    common: Common<'a>,
    abort: &'a Abort,
    populated: PfnSet,
    /// How many those are. To count them at the end would mean to look at all of a set that is as large as the guest may
    /// become (8 MiB of a Xen guest), while the guest stands still.
    has_memory: u64,
    digest: Option<MemoryDigest>,
    differing: Option<Difference>,
    /// Whether what comes is to be compared with what is there.
    verifying: bool,
    pages: u64,
    compared: u64,
    fresh: Vec<Pfn>,
    gone: Vec<Pfn>,
    data: Vec<PageEntry>,
    page: Box<PageBytes>,
}

impl<'a> Pages<'a> {
    pub(super) fn of_lane(lane: usize, common: Common<'a>, abort: &'a Abort) -> Self {
        Self {
            lane,
            common,
            abort,
            populated: PfnSet::empty(common.pfn_limit),
            has_memory: 0,
            digest: common.digest.then(|| MemoryDigest::new(common.pfn_limit)),
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

    /// Reads up to and including `END`; what is neither pages nor about them is for `rest`.
    pub(super) fn receive<R: Read, M: TargetMemory + ?Sized>(
        &mut self,
        reader: &mut Reader<R>,
        memory: &mut M,
        mut rest: impl FnMut(&mut M, Found) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut entries = Vec::new();
        loop {
            if let Some(reason) = self.abort.reason() {
                return Err(Error::Aborted(reason.into()));
            }
            match reader.next(&mut entries).map_err(|cause| unless_aborted(self.abort, cause))? {
                Item::Pages => {
                    self.take(&entries, reader, memory)?;
                    rest(memory, Found::Pages(self.common.came.load(Ordering::Relaxed)))?;
                }
                Item::Record(Record::End) => return Ok(()),
                Item::Record(Record::Verify) => self.verifying = true,
                Item::Record(record) => rest(memory, Found::Record(record))?,
                Item::Skipped { record_type } => rest(memory, Found::Skipped(record_type))?,
            }
        }
    }

    /// Reads the data of these pages into the guest.
    fn take<R: Read, M: TargetMemory + ?Sized>(
        &mut self,
        entries: &[PageEntry],
        reader: &mut Reader<R>,
        memory: &mut M,
    ) -> Result<(), Error> {
        self.check(entries)?;
        self.data.clear();
        self.data.extend(entries.iter().filter(|entry| entry.kind.has_data()));
        if self.verifying {
            return self.compare(reader, memory);
        }
        self.match_population(entries, memory)?;
        written(memory.write(&self.data, &mut reader.data()), self.abort)?;
        let came = self.data.len() as u64;
        self.pages += came;
        self.common.came.fetch_add(came, Ordering::Relaxed);
        self.update_digest(memory)
    }

    /// What came, in a stream of this many bytes.
    pub(super) fn received(self, bytes: u64) -> Received {
        let Self { pages, compared, digest, differing, has_memory, .. } = self;
        Received { pages, populated: has_memory, compared, bytes, digest, differing }
    }

    /// No page twice in a record, and none that goes by another lane.
    fn check(&self, entries: &[PageEntry]) -> Result<(), Error> {
        no_page_twice(entries)?;
        match entries.iter().find(|entry| self.common.lanes.of(entry.pfn) != self.lane) {
            None => Ok(()),
            Some(entry) => Err(Error::WrongLane { phase: Phase::Receive, pfn: entry.pfn }),
        }
    }

    /// Gives memory to the pages that need it, and takes it from those that became holes.
    fn match_population<M: TargetMemory + ?Sized>(
        &mut self,
        entries: &[PageEntry],
        memory: &mut M,
    ) -> Result<(), Error> {
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
        self.has_memory += self.fresh.len() as u64;
        self.has_memory -= self.gone.len() as u64;
        if !self.gone.is_empty() {
            memory.depopulate(&self.gone).map_err(failed("taking pages back"))?;
        }
        if !self.fresh.is_empty() {
            memory.populate(&self.fresh).map_err(failed("giving the guest memory"))?;
        }
        Ok(())
    }

    /// The stream repeats the pages of the suspended guest: they must be what we have.
    fn compare<R: Read, M: TargetMemory + ?Sized>(
        &mut self,
        reader: &mut Reader<R>,
        memory: &mut M,
    ) -> Result<(), Error> {
        let mut theirs = Box::new([0; PAGE_SIZE]);
        for &entry in &self.data {
            let read = reader.data().read_exact(&mut theirs[..]);
            written(read.map_err(BoxError::from), self.abort)?;
            let same = self.populated.contains(entry.pfn) && {
                memory.read(entry, &mut self.page).map_err(failed("reading a page back"))?;
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

    fn update_digest<M: TargetMemory + ?Sized>(&mut self, memory: &mut M) -> Result<(), Error> {
        let Some(digest) = &mut self.digest else { return Ok(()) };
        self.gone.iter().for_each(|&pfn| digest.clear(pfn));
        for &entry in &self.data {
            memory.read(entry, &mut self.page).map_err(failed("reading a page back"))?;
            digest.set(entry.pfn, page_digest(&self.page));
        }
        Ok(())
    }
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

/// The first and the last byte that differ; of a page that is missing, all.
fn differing(ours: &PageBytes, theirs: &PageBytes) -> (usize, usize) {
    let differs = |&at: &usize| ours[at] != theirs[at];
    let (from, to) = ((0..PAGE_SIZE).find(differs), (0..PAGE_SIZE).rfind(differs));
    (from.unwrap_or(0), to.unwrap_or(PAGE_SIZE - 1))
}
