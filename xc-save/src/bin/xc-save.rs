//! Saves a guest, or migrates it.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    xc_save::run(&xc_save::cli::Args::parse()).into()
}
