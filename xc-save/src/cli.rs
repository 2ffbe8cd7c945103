//! The command line of `xc-save`.

use std::path::PathBuf;

use clap::Parser;
use ffi::link::LinkSpec;
use policy::{bandwidth, stop};

use crate::domain_name::HostName;
use crate::exit;
use crate::progress::Style;

const EXAMPLES: &str = "\
Examples:
  xc-save host:web web.img                 save to a file, then end the guest
  xc-save -c host:web web.img              the same, and let the guest run on
  xc-save --live host:web tcp://10.0.0.2:7000
                                           migrate live to `xc-restore tcp://0.0.0.0:7000` there
  xc-save --live --bandwidth fixed:rate=1G --stop fni:n=3 host:web tcp://10.0.0.2:7000

A file appears under its name only when it is complete. A target that answers (tcp:, unix:, a socket) is asked
before the guest is given away; if it fails before that, the guest runs on here.";

/// Saves a guest to a file, or migrates it to another host.
#[derive(Clone, Debug, Parser)]
#[command(name = "xc-save", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Args {
    /// The guest: host:NAME is a guest process of this machine.
    pub domain: HostName,

    /// Where to: a file, - (standard output), fd:N, tcp://HOST:PORT or unix:PATH.
    pub link: LinkSpec,

    /// Copy the memory while the guest runs, and suspend it only for what is left.
    #[arg(short, long)]
    pub live: bool,

    /// When to end the live copy: xen, classic, psc, or fni:n=N.
    ///
    /// xen: fewer than 50 dirty pages, or 5 rounds. classic: the rule of Xen up to 4.5 (50 pages, 29 rounds, 3 x
    /// the memory). psc: at once. fni:n=N: after N rounds.
    #[arg(long, value_name = "NAME[:k=v,...]", default_value = "xen", value_parser = stop_policy)]
    pub stop: String,

    /// How fast to send: unlimited, or fixed:rate=R in bit/s (100M, 1G, 10G).
    #[arg(long, value_name = "NAME[:k=v,...]", default_value = "unlimited", value_parser = bandwidth_policy)]
    pub bandwidth: String,

    /// Let the guest run on here after a save.
    #[arg(short = 'c', long = "checkpoint", conflicts_with = "hold")]
    pub checkpoint: bool,

    /// Keep the guest here, suspended, as NAME--migratedaway, instead of ending it; `xc-guest resume` and
    /// `xc-guest stop` decide later.
    #[arg(long)]
    pub hold: bool,

    /// Send all pages a second time while the guest is suspended; the target compares them and fails if any
    /// differs.
    #[arg(long)]
    pub debug: bool,

    /// Write what happened to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// How to show progress on standard error.
    #[arg(long, value_enum, value_name = "STYLE", default_value = "auto", num_args = 0..=1, default_missing_value = "auto")]
    pub progress: Style,
}

fn stop_policy(text: &str) -> Result<String, policy::SpecError> {
    stop::by_name(text).map(|_| text.to_owned())
}

fn bandwidth_policy(text: &str) -> Result<String, policy::SpecError> {
    bandwidth::by_name(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn mistakes_are_usage_errors_that_teach() {
        let mistake = |args: &[&str]| Args::try_parse_from(args).unwrap_err().to_string();
        assert!(mistake(&["xc-save", "web", "f"]).contains("Xen domain"));
        assert!(
            mistake(&["xc-save", "--stop", "itd", "host:web", "f"]).contains("classic, fni:n=N, psc, xen")
        );
        assert!(mistake(&["xc-save", "host:web", "tcp://x"]).contains("tcp://HOST:PORT"));
        assert!(mistake(&["xc-save", "-c", "--hold", "host:web", "f"]).contains("cannot be used with"));
    }
}
