//! A guest: its memory, its vCPU threads, its balloon, its clock and its control socket.
//!
//! ```text
//! server (a thread a connection) --requests--> Machine --holds--> Gate <--stand still-- vCPU threads, ticker
//!                                                 |
//!                                              balloon thread: a chunk at a time, vCPUs held
//! ```

mod balloon;
mod birth;
mod gate;
mod hash;
mod machine;
mod server;
mod session;
mod ticker;
mod time;
mod vcpu;

pub use birth::{adopt, run_here};
pub(crate) use time::monotonic_ns;
