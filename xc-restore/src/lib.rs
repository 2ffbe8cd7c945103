//! The restore side's front end: what `xc-restore` and `xc-migrate-receive` do around [`engine::restore()`], and
//! [`image`], which tells what a saved file holds.
//!
//! A command line ([`cli`], [`migrate_receive`]) becomes a [`job`]. [`run`] is the way through: open the link, read the layers around
//! the libxc stream ([`envelope`]), restore, and take the guest over from its source ([`take_over`]).

pub mod cli;
pub mod envelope;
mod error;
mod host;
pub mod image;
#[cfg(feature = "xen")]
mod into;
#[cfg(not(feature = "xen"))]
#[path = "no_into.rs"]
mod into;
pub mod job;
pub mod migrate_receive;
mod run;
mod stats;
pub mod take_over;
mod xen;

pub use error::Error;
pub use run::run;
