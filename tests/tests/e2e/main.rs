//! The commands, end to end: real guest processes, real links, real signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod connections;
mod faults;
mod files;
mod manual;
mod migrate;
mod migrate_trouble;
mod predict;
mod receiver;
mod settings;
mod usage;
mod xc_migrate;
mod xl;
