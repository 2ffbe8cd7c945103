//! The guest process of the host world, and what it runs.
//!
//! [`guest`] is the other side of `ffi::host`: it owns the memory, the vCPU threads and the control socket.
//! [`workload`] and [`fill`] are what makes one guest different from another.

mod error;
pub mod fill;
pub mod guest;
mod random;
pub mod workload;

pub use error::Error;
