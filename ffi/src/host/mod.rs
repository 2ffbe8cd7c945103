//! The host world: guests that are processes of this machine.
//!
//! A guest's memory is a memory file, its vCPUs are threads that run a workload, its p2m is a bitmap of the pages
//! that have memory. Whoever migrates it opens memory and p2m through `/proc/PID/fd`, reads them in place, and sees
//! the guest's writes through the kernel's own write log. Nothing is simulated: memory, threads, races and
//! time are real.
//!
//! ```text
//!  guest process (xc-guest)                        this process
//!  vCPU threads -> memory (memfd) <--- read only --- HostSource --> engine::save
//!  balloon ------> p2m    (memfd) <--- look, log --- HostTracker    (PAGEMAP_SCAN)
//!  control thread <-- NAME.sock: JSON lines -------- HostToolstack, GuestHandle
//! ```
//!
//! [`Host`] is where guests run: [`Host::attach`] takes control of one to save it, [`Host::create`] builds one from a stream, [`Host::run`] starts a new one.
//! The other side of all this, the guest program, is `xc-guest` in the `bench` member.

mod ahead;
mod arriving;
mod config;
mod context;
mod control;
mod error;
mod guest;
mod map;
mod memory;
pub mod names;
mod own_log;
mod p2m;
mod pagemap;
mod plain;
pub mod protocol;
mod soft_dirty;
mod source;
mod state;
mod target;
mod tracker;
mod userfaultfd;

pub use config::{GuestConfig, MAX_PAGES, MAX_VCPUS};
pub use error::HostError;
pub use guest::{Tracking, adopt_memory, birth_cord, detach, whereabouts};
pub use memory::GuestMemory;
pub use names::{GuestSocket, Host};
pub use own_log::OwnLog;
pub use p2m::P2m;
pub use plain::PlainMemory;
pub use protocol::TrackerKind;
pub use source::{GuestHandle, HostBatch, HostGuest, HostSource, HostToolstack};
pub use state::{GuestState, Registers};
pub use target::{HostTarget, NameUse};
pub use tracker::{HostTracker, TrackerChoice, probe_trackers};
