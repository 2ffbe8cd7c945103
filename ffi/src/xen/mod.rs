//! Xen domains: small safe wrappers over libxenctrl and libxenforeignmemory, and on them the traits of the engine.
//!
//! The hypervisor's interface for toolstacks changes with every release, so a build serves one release and says so
//! when it meets another.

mod batch;
mod buffer;
mod domain;
mod error;
mod existing;
mod foreign;
mod frame_watch;
mod grants;
mod guard;
mod handle;
mod hvm;
mod layout;
mod log_dirty;
mod page_types;
mod policy;
mod populate;
mod pv;
mod resume;
mod sampler;
mod source;
mod store;
mod sys;
mod target;
mod toolstack;
mod tsc;
mod vcpu;
mod whole_map;

pub use batch::XenBatch;
pub use domain::{Domain, DomainInfo};
pub use error::Error;
pub use guard::{Guard, stand_guard};
pub use handle::Xen;
pub use log_dirty::XenTracker;
pub use source::XenSource;
pub use target::{Backend, Rings, TargetSettings, XenTarget};
pub use toolstack::XenToolstack;
