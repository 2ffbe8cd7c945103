//! Where the save loop puts what it has to say: the door for other transports than one stream over one link.

use std::fmt;

use stream::PageEntry;
use stream::libxc::{DomainHeader, DomainKind, Encoder, Limits, Record, StreamUse};

use crate::pacer::Pacer;
use crate::{Abort, Clock, GuestPage, Link, PAGE_SIZE, RateControl, SinkError, Undelivered};

/// Takes the records of one domain, in stream order.
pub trait RecordSink: Send {
    /// The headers.
    ///
    /// # Errors
    /// When they were not accepted.
    fn begin(&mut self, header: &DomainHeader) -> Result<(), SinkError>;

    /// Any record but `PAGE_DATA`.
    ///
    /// # Errors
    /// When it was not accepted.
    fn record(&mut self, record: &Record) -> Result<(), SinkError>;

    /// Pages: `runs` is the memory of those of `entries` that have data, in order.
    ///
    /// # Errors
    /// When they were not accepted.
    fn pages(&mut self, entries: &[PageEntry], runs: &[&[GuestPage]]) -> Result<(), SinkError>;

    /// How fast to send; it may be set at any moment, from another thread too.
    fn rate(&self) -> RateControl;

    /// Bytes accepted so far.
    fn bytes(&self) -> u64;

    /// What of them the other side has not read yet, as far as that is known.
    fn undelivered(&self) -> Undelivered;
}

/// A libxc stream of version 3 over one link, at a set rate.
pub struct StreamSink<'a, L> {
    link: Pacer<'a, L>,
    kind: DomainKind,
    encoder: Encoder,
    head: Vec<u8>,
    bytes: u64,
}

impl<L> fmt::Debug for StreamSink<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSink").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl<'a, L: Link> StreamSink<'a, L> {
    /// The stream of a guest of this kind; it starts at the link's next byte.
    pub fn new(link: L, kind: DomainKind, clock: &'a dyn Clock, abort: &'a Abort) -> Self {
        let (link, encoder) = (Pacer::new(link, clock, abort), Encoder::new(kind));
        Self { link, kind, encoder, head: Vec::new(), bytes: 0 }
    }

    /// A stream of pages alone over another link, a further lane of [`save_by_lanes`](crate::save_by_lanes). Both keep one
    /// rate together.
    #[must_use]
    pub fn beside(&self, link: L) -> Self {
        let limits = Limits { stream_use: StreamUse::Lane, ..Limits::default() };
        let (link, encoder) = (self.link.beside(link), Encoder::with_limits(self.kind, limits));
        Self { link, kind: self.kind, encoder, head: Vec::new(), bytes: 0 }
    }

    fn send(&mut self, runs: &[&[GuestPage]]) -> Result<(), SinkError> {
        self.link.send(&self.head, runs)?;
        let pages: usize = runs.iter().map(|run| run.len()).sum();
        self.bytes += (self.head.len() + pages * PAGE_SIZE) as u64;
        Ok(())
    }
}

impl<L: Link> RecordSink for StreamSink<'_, L> {
    fn begin(&mut self, header: &DomainHeader) -> Result<(), SinkError> {
        self.head.clear();
        self.encoder.headers(header, &mut self.head);
        self.send(&[])
    }

    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        self.head.clear();
        self.encoder.record(record, &mut self.head)?;
        self.send(&[])
    }

    fn pages(&mut self, entries: &[PageEntry], runs: &[&[GuestPage]]) -> Result<(), SinkError> {
        self.head.clear();
        self.encoder.pages(entries, &mut self.head)?;
        self.send(runs)
    }

    fn rate(&self) -> RateControl {
        self.link.control().clone()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn undelivered(&self) -> Undelivered {
        self.link.undelivered()
    }
}
