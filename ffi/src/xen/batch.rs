//! Pages of a domain, held readable.

use std::ops::Range;
use std::sync::Arc;

use engine::{GuestPage, PageBatch};
use stream::PageEntry;

use super::foreign::Mapping;

/// Pages of a domain, held readable.
#[derive(Debug, Default)]
pub struct XenBatch {
    entries: Vec<PageEntry>,
    runs: Vec<Run>,
}

#[derive(Debug)]
enum Run {
    Mapped(Arc<Mapping>, Range<usize>),
    /// Page tables, rewritten.
    Own(Vec<GuestPage>),
}

impl XenBatch {
    /// Pages without data.
    pub(super) fn of_holes(entries: Vec<PageEntry>) -> Self {
        Self { entries, runs: Vec::new() }
    }

    /// A page without data.
    pub(super) fn add_entry(&mut self, entry: PageEntry) {
        self.entries.push(entry);
    }

    /// A page whose data is page `at` of a mapping.
    pub(super) fn add_mapped(&mut self, entry: PageEntry, mapping: &Arc<Mapping>, at: usize) {
        self.entries.push(entry);
        match self.runs.last_mut() {
            Some(Run::Mapped(last, range)) if Arc::ptr_eq(last, mapping) && range.end == at => range.end += 1,
            _ => self.runs.push(Run::Mapped(Arc::clone(mapping), at..at + 1)),
        }
    }

    /// A page with data of our own.
    pub(super) fn add_own(&mut self, entry: PageEntry, page: GuestPage) {
        self.entries.push(entry);
        match self.runs.last_mut() {
            Some(Run::Own(pages)) => pages.push(page),
            _ => self.runs.push(Run::Own(vec![page])),
        }
    }
}

impl PageBatch for XenBatch {
    fn entries(&self) -> &[PageEntry] {
        &self.entries
    }

    fn runs(&self) -> impl Iterator<Item = &[GuestPage]> {
        self.runs.iter().map(|run| match run {
            Run::Mapped(mapping, range) => mapping.pages(range.clone()),
            Run::Own(pages) => pages.as_slice(),
        })
    }
}
