//! Everything outside this process: the host world, links and signals. The only member with `unsafe`.

pub mod helper;
pub mod host;
pub mod link;
pub mod signals;
#[cfg(feature = "xen")]
pub mod xen;
