//! The save loop and the restore loop, written once; worlds are implementations of these traits.

mod abort;
mod clock;
mod context;
pub mod digest;
mod domain;
mod error;
mod held;
mod lane;
mod link;
mod observer;
mod pacer;
mod page;
mod pfn_set;
mod phase;
mod rate;
mod restore;
mod save;
mod seconds;
mod sink;
mod toolstack;
mod watch;

pub use abort::Abort;
pub use clock::{Clock, WallClock};
pub use context::Context;
pub use domain::{BoxError, DirtyTracker, Harvest, PageBatch, SourceDomain, TargetDomain, TargetMemory};
pub use error::{Error, SinkError};
pub use link::{Link, Undelivered};
pub use observer::{Event, Observer};
pub use page::{GuestPage, PageBytes};
pub use pfn_set::PfnSet;
pub use phase::Phase;
pub use rate::RateControl;
pub use restore::{Lane, RestoreOptions, RestoreReport, restore, restore_from_lanes};
pub use save::{
    BATCH_PAGES, Peeks, SaveOptions, SaveReport, Source, Threads, Waterfall, save, save_by_lanes,
};
pub use sink::{RecordSink, StreamSink};
pub use stream::{PAGE_SIZE, PageEntry, PageType, Pfn, libxc};
pub use toolstack::Toolstack;
pub use watch::{Watch, watch};
