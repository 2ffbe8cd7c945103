//! Restores a guest, or takes one that is migrated here.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    xc_restore::run(&xc_restore::cli::Args::parse()).into()
}
