//! The save side's front end: what `xc-save` does around [`engine::save()`].
//!
//! [`run`] is the way through: attach to the guest, open the link, write the layers around the libxc stream
//! ([`envelope`]), save, and then give the guest away ([`hand_over`]) or keep what was written. What both front
//! ends share, [`console`], [`exit`], [`progress`], is here too.

pub mod cli;
pub mod console;
pub mod domain_name;
pub mod envelope;
mod error;
pub mod exit;
pub mod hand_over;
pub mod progress;
mod run;
mod stats;
mod summary;

pub use error::Error;
pub use run::run;
pub use stats::write_json;
