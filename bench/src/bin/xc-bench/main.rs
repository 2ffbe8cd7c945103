//! `xc-bench`: measures migrations, draws and compares what it measured.

mod args;
mod commands;
mod link;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use args::Args;

/// Exit code: a regression was found.
const REGRESSION: u8 = 1;
/// Exit code: it could not be done.
const FAILED: u8 = 2;

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Regression,
}

fn main() -> ExitCode {
    match commands::run(Args::parse().command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Regression) => REGRESSION.into(),
        Err(error) => {
            output::say(format_args!("xc-bench: {}", error.chain()));
            FAILED.into()
        }
    }
}
