//! `xc-pagemod`: the page-modification micro-benchmark.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "all that this program prints is here")]

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use bench::pagemod::{Achieved, Pagemod};
use bench::{Error, size};
use clap::Parser;

const AFTER_HELP: &str = "\
Examples:
  xc-pagemod --memory 512M --rate 30000              until it is killed, a line a second
  xc-pagemod --memory 512M --rate max --seconds 5 --check
  xc-pagemod --memory 512M --rate 300000 --seconds 5 --json

The binary that `make pagemod` builds is static: copied into a guest's initramfs it runs there as it is.";

/// Writes to the first byte of every page of its memory, one after the other and in a circle, at a set rate.
#[derive(Debug, Parser)]
#[command(name = "xc-pagemod", version, after_help = AFTER_HELP)]
struct Args {
    /// How much memory, like 512M or 2G.
    #[arg(long, default_value = "256M", value_parser = size::parse_pages)]
    memory: u64,
    /// Pages/s, or max.
    #[arg(long, default_value = "30000", value_parser = parse_rate)]
    rate: Rate,
    /// How long; for ever if not given.
    #[arg(long)]
    seconds: Option<u32>,
    /// Compare with the kernel's own dirty bitmap (Linux 6.7 or newer).
    #[arg(long)]
    check: bool,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// Pages/s; `None` is as fast as possible.
#[derive(Clone, Copy, Debug)]
struct Rate(Option<f64>);

fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate(None));
    }
    text.parse().map(|rate| Rate(Some(rate))).map_err(|_| "neither max nor a number of pages/s".to_owned())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xc-pagemod: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    let mut pagemod = Pagemod::new(args.memory, args.rate.0, args.check)?;
    if !args.json {
        println!("{} MiB touched", pagemod.bytes() >> 20);
    }
    let mut left = args.seconds;
    while left != Some(0) {
        let achieved = pagemod.run(Duration::from_secs(1))?;
        println!("{}", if args.json { json(&achieved) } else { text(&achieved) });
        // Nobody may read it; the writes go on.
        let _ = std::io::stdout().flush();
        left = left.map(|seconds| seconds - 1);
    }
    Ok(())
}

fn json(achieved: &Achieved) -> String {
    serde_json::to_string(achieved).unwrap_or_default()
}

fn text(achieved: &Achieved) -> String {
    let set = achieved.set.map_or_else(|| "max".to_owned(), |rate| format!("{rate:.0}"));
    let logged = achieved.logged.map(|rate| format!(", in the dirty bitmap {rate:.0}")).unwrap_or_default();
    format!("pages/s: set {set}, achieved {:.0}{logged}", achieved.achieved)
}
