//! The commands, end to end: real guest processes, real links, real signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod faults;
mod files;
mod migrate;
mod usage;
