//! The save loop and the restore loop, written once; worlds are implementations of these traits.

mod abort;
mod clock;
mod context;
pub mod digest;
mod domain;
mod error;
mod held;
mod link;
mod observer;
mod pacer;
mod page;
mod pfn_set;
mod phase;
mod restore;
mod save;
mod seconds;
mod sink;
mod toolstack;
mod watch;

pub use abort::Abort;
pub use clock::{Clock, WallClock};
pub use context::Context;
pub use domain::{BoxError, DirtyTracker, Harvest, PageBatch, SourceDomain, TargetDomain};
pub use error::{Error, SinkError};
pub use link::Link;
pub use observer::{Event, Observer};
pub use page::{GuestPage, PageBytes};
pub use pfn_set::PfnSet;
pub use phase::Phase;
pub use restore::{RestoreOptions, RestoreReport, restore};
pub use save::{BATCH_PAGES, SaveOptions, SaveReport, Source, Threads, Waterfall, save};
pub use sink::{RecordSink, StreamSink};
pub use stream::{PAGE_SIZE, PageEntry, PageType, Pfn, libxc};
pub use toolstack::Toolstack;
pub use watch::{Watch, watch};
