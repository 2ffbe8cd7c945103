//! The harness against the system: real namespaces, real migrations.

mod cleanup;
mod end_to_end;
mod programs;
