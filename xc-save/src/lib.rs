//! The save side's front end: what `xc-save` and `xc-migrate` do around [`engine::save()`].
//!
//! A command line ([`cli`], [`migrate`]) becomes a [`job`], with [`settings`] from flags, environment and file. [`run`]
//! is the way through: attach to the guest, open the link, write the layers around the libxc stream ([`envelope`]),
//! save, and then give the guest away ([`hand_over`]) or keep what was written. What both sides' front ends share,
//! [`audience`], [`console`], [`exit`], [`flags`], [`log`], [`metrics`], [`progress`], is here too.

pub mod audience;
pub mod cli;
pub mod console;
pub mod control;
pub mod domain_name;
pub mod envelope;
mod error;
pub mod exit;
pub mod flags;
mod forecast;
mod guest;
pub mod hand_over;
mod host;
pub mod job;
mod limits;
mod link_use;
pub mod log;
pub mod metrics;
pub mod migrate;
mod notes;
mod places;
pub mod progress;
pub mod remote;
mod run;
pub mod settings;
pub mod stats;
mod summary;
pub mod xen;

pub use error::Error;
pub use limits::{abort_on_timeout, save_options};
pub use run::{complain, run};
