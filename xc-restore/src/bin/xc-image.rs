//! `xc-image`: what is in a saved domain, is it good, and parts of it.

use std::process::ExitCode;

use clap::Parser;
use xc_restore::image::{Args, run};

fn main() -> ExitCode {
    run(&Args::parse())
}
