//! When to stop the pre-copy and how fast to send: pure functions of measured facts.
//!
//! Time is an argument and nothing here does I/O, so the same policy object decides on a real migration and in
//! the simulator. Policies are chosen by name: [`stop::by_name`] and [`bandwidth::by_name`].

pub mod bandwidth;
mod facts;
mod spec;
pub mod stop;

pub use facts::{Facts, Round};
pub use spec::{Spec, SpecError};
