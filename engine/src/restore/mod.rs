//! The restore loop: reads a stream and builds a domain from it.

mod failure;
mod lane;
mod pages;

use std::io::{self, Read};
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stream::Input;
use stream::libxc::{Limits, Reader};

use crate::digest::MemoryDigest;
use crate::lane::Lanes;
use crate::seconds;
use crate::{Context, Error, Event, Phase, TargetDomain};
use failure::{failed, unless_aborted};
use pages::{Common, Found, Pages, Received};

pub use lane::Lane;

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
    /// Bytes of the libxc stream, and of the lanes beside it.
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
    restore_from_lanes(input, Vec::<Lane<io::Empty>>::new(), target, options, context)
}

/// The same where [`save_by_lanes`](crate::save_by_lanes) sends some of the pages over further links: they are received in
/// a thread for each.
///
/// # Errors
/// As [`restore`], of any of the streams.
pub fn restore_from_lanes<R: Read, L: Read + Send, T: TargetDomain>(
    input: Input<R>,
    others: Vec<Lane<L>>,
    target: &mut T,
    options: RestoreOptions,
    context: &mut Context<'_>,
) -> Result<(RestoreReport, Input<R>), Error> {
    let result = build(input, others, target, options, context);
    if result.is_err() {
        target.discard();
    }
    result
}

fn build<R: Read, L: Read + Send, T: TargetDomain>(
    input: Input<R>,
    others: Vec<Lane<L>>,
    target: &mut T,
    options: RestoreOptions,
    context: &mut Context<'_>,
) -> Result<(RestoreReport, Input<R>), Error> {
    let started = context.clock.now();
    let first_byte = input.offset();
    context.tell(Event::Phase(Phase::Receive));
    let limits = Limits::default();
    let mut reader = Reader::new(input, limits).map_err(|cause| unless_aborted(context.abort, cause))?;
    target.begin(reader.header()).map_err(failed("taking this kind of guest"))?;
    reader.set_pfn_limit(target.pfn_limit().min(limits.pfn_limit));
    let received = receive_all(&mut reader, first_byte, others, target, options, context)?;
    received.compared_equal()?;
    complete(target, context)?;
    Ok((report(&received, context.clock.now() - started), reader.into_inner()))
}

/// What comes by all lanes.
fn receive_all<R: Read, L: Read + Send, T: TargetDomain>(
    reader: &mut Reader<R>,
    first_byte: u64,
    others: Vec<Lane<L>>,
    target: &mut T,
    options: RestoreOptions,
    context: &mut Context<'_>,
) -> Result<Received, Error> {
    let (came, abort) = (AtomicU64::new(0), context.abort);
    let lanes = Lanes::with_others(others.len());
    let common = Common { lanes, pfn_limit: target.pfn_limit(), digest: options.digest, came: &came };
    let with_memory = |lane| Ok((lane, target.lane().map_err(failed("receiving over several connections"))?));
    let others = others.into_iter().map(with_memory).collect::<Result<_, _>>()?;
    thread::scope(|scope| {
        let others = lane::Receivers::start(scope, others, common);
        let mut pages = Pages::of_lane(0, common, abort);
        if let Err(error) = pages.receive(reader, target, |target, found| take(target, found, context)) {
            return Err(others.failure().unwrap_or(error));
        }
        let mut received = pages.received(reader.offset() - first_byte);
        others.finish(&mut received, abort)?;
        Ok(received)
    })
}

/// What the first stream has besides pages, and how far all are.
fn take<T: TargetDomain>(target: &mut T, found: Found, context: &mut Context<'_>) -> Result<(), Error> {
    match found {
        Found::Pages(handled) => context.tell(Event::Pages { handled, planned: 0 }),
        Found::Record(record) => target.record(record).map_err(failed("taking the state"))?,
        Found::Skipped(record_type) => context.tell(Event::Skipped { record_type }),
    }
    Ok(())
}

fn complete<T: TargetDomain>(target: &mut T, context: &mut Context<'_>) -> Result<(), Error> {
    context.tell(Event::Phase(Phase::Complete));
    let completed = target.complete();
    completed.map_err(|cause| Error::World { phase: Phase::Complete, step: "starting it", cause })
}

fn report(received: &Received, total: Duration) -> RestoreReport {
    RestoreReport {
        pages: received.pages,
        populated: received.populated,
        compared: received.compared,
        bytes: received.bytes,
        digest: received.digest.as_ref().map(MemoryDigest::finish),
        total,
    }
}
