//! The save loop and the restore loop, written once; worlds are implementations of these traits.

mod abort;
mod clock;
pub mod digest;
mod domain;
mod link;
mod page;
mod pfn_set;
mod toolstack;

pub use abort::Abort;
pub use clock::{Clock, WallClock};
pub use domain::{BoxError, DirtyTracker, Harvest, PageBatch, SourceDomain, TargetDomain};
pub use link::Link;
pub use page::{GuestPage, PageBytes};
pub use pfn_set::PfnSet;
pub use stream::{PAGE_SIZE, PageEntry, PageType, Pfn, libxc};
pub use toolstack::Toolstack;
