//! Everything outside this process: the host world, links, signals, the scheduler and Xen. The only member with `unsafe`.

pub mod helper;
pub mod host;
pub mod link;
mod map_mode;
pub mod scheduler;
pub mod signals;
#[cfg(feature = "xen")]
pub mod xen;
pub mod xl;

pub use map_mode::MapMode;
