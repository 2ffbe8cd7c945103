//! What the end-to-end tests share: a host of its own for each test, the commands under test, a breakable link.

mod binaries;
mod cut;
mod process;
mod schema;
mod world;

pub use binaries::binary;
pub use cut::CutProxy;
pub use process::{Finished, Running};
pub use schema::assert_fits;
pub use world::{GuestInfo, World};
