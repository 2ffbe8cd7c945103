//! The guest process of the host world, what it runs, and the harness that measures how it is moved.
//!
//! [`guest`] is the other side of `ffi::host`: it owns the memory, the vCPU threads and the control socket.
//! [`workload`] and [`fill`] are what makes one guest different from another; [`pagemod`] is one workload as a
//! program of its own.
//!
//! The harness: a [`plan`] is a matrix of cells, [`run`] measures each of them in its [`world`] inside a [`bed`], and
//! leaves rows; [`report`] draws them beside what [`predict`] says, [`compare`] compares two runs.

pub mod bed;
pub mod compare;
mod error;
pub mod fill;
pub mod guest;
pub mod pagemod;
pub mod plan;
pub mod predict;
mod random;
pub mod report;
pub mod run;
pub mod size;
pub mod statistics;
pub mod workload;
pub mod world;

pub use error::Error;
