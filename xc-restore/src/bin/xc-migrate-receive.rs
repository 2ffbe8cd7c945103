//! Takes a guest that `xc-migrate` sends over standard input and output.

use std::process::ExitCode;

use clap::Parser;
use xc_restore::migrate_receive::{Args, main as receive};

fn main() -> ExitCode {
    receive(&Args::parse()).into()
}
