//! Saves a guest, or migrates it.

use std::process::ExitCode;

use clap::Parser;
use xc_save::cli::{Args, main as save};

fn main() -> ExitCode {
    save(&Args::parse()).into()
}
