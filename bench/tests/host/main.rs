//! The host world with real guest processes, on the real kernel.
#![expect(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod control;
mod guests;
mod image;
mod lanes;
mod move_guest;
mod policies;
mod target;
mod tracking;
mod workloads;
