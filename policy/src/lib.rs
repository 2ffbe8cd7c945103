//! When to stop the pre-copy and how fast to send: pure functions of measured facts.
//!
//! Time is an argument and nothing here does I/O, so the same policy object decides on a real migration and in
//! the simulator. Policies are chosen by name: [`stop::by_name`] and [`bandwidth::by_name`]. What a guest's dirty
//! pages will do is predicted by [`markov`].

pub mod bandwidth;
mod facts;
mod growth;
pub mod markov;
mod spec;
pub mod stop;
pub mod units;

pub use facts::{Facts, LinkUse, PAGE_BYTES, Round};
pub use growth::GrowthSeries;
pub use spec::{Spec, SpecError};
