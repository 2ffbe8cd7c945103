//! Restores a guest, or takes one that is migrated here.

use std::process::ExitCode;

use clap::Parser;
use xc_restore::cli::{Args, main as restore};

fn main() -> ExitCode {
    restore(&Args::parse()).into()
}
