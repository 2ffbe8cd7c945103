//! Migrates a guest to another host.

use std::process::ExitCode;

use clap::Parser;
use xc_save::migrate::{Args, main as migrate};

fn main() -> ExitCode {
    migrate(&Args::parse()).into()
}
