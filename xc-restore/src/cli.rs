//! The command line of `xc-restore`.

use std::path::PathBuf;

use clap::Parser;
use ffi::link::LinkSpec;
use xc_save::domain_name::HostName;
use xc_save::exit;
use xc_save::progress::Style;

const EXAMPLES: &str = "\
Examples:
  xc-restore web.img                       bring a saved guest back under its own name
  xc-restore web.img --as host:web2        under another name
  xc-restore tcp://0.0.0.0:7000            wait for one `xc-save --live host:web tcp://THIS-HOST:7000`
  xc-restore -p --digest web.img           leave it paused, and print the digest of its memory

A tcp: link is neither authenticated nor encrypted: listen where only the source can reach.";

/// Restores a guest from a file, or takes one that another host sends.
#[derive(Clone, Debug, Parser)]
#[command(name = "xc-restore", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Args {
    /// Where from: a file, - (standard input), fd:N, or listen on tcp://HOST:PORT or unix:PATH.
    pub link: LinkSpec,

    /// The guest's name here; its own if not given.
    #[arg(long = "as", value_name = "host:NAME")]
    pub name: Option<HostName>,

    /// Leave the guest paused; `xc-guest resume NAME` lets it run.
    #[arg(short, long)]
    pub paused: bool,

    /// Print the digest of the memory received, as `xc-guest hash` does.
    #[arg(long)]
    pub digest: bool,

    /// Write what happened to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// How to show progress on standard error.
    #[arg(long, value_enum, value_name = "STYLE", default_value = "auto", num_args = 0..=1, default_missing_value = "auto")]
    pub progress: Style,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
