//! The command line of `xc-restore`.

use std::path::PathBuf;

use clap::Parser;
use ffi::link::LinkSpec;
use xc_save::cli::wrong_setting;
use xc_save::domain_name::HostName;
use xc_save::exit::{self, Exit};
use xc_save::flags::Reporting;
use xc_save::log;
use xc_save::settings::{SettingError, Settings, Values};

use crate::job::{Job, Origin};

const EXAMPLES: &str = "\
Examples:
  xc-restore web.img                       bring a saved guest back under its own name
  xc-restore web.json web.img              with this configuration instead of the saved one
  xc-restore web.img --as host:web2        under another name
  xc-restore tcp://0.0.0.0:7000            wait for one `xc-migrate host:web tcp://THIS-HOST:7000`
  xc-restore -p --digest web.img           leave it paused, and print the digest of its memory

A tcp: link is neither authenticated nor encrypted: listen where only the source can reach.";

/// What `-d` of xl stands for: as much as -vv.
const DEBUG: u8 = 2;

/// Restores a guest from a file, or takes one that another host sends.
#[derive(Clone, Debug, Parser)]
#[command(name = "xc-restore", version, allow_missing_positional = true, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Args {
    /// A file with the configuration to use instead of the saved one (as `xc-image extract --config` writes it). Where a
    /// source is waited for, the guest is made, and its memory taken, before it comes.
    pub config: Option<PathBuf>,

    /// Where from: a file, - (standard input), fd:N, or listen on tcp://HOST:PORT or unix:PATH.
    #[arg(value_name = "FILE", required = true)]
    pub link: LinkSpec,

    /// The guest's name here; its own if not given. A Xen domain's name is in its configuration.
    #[arg(long = "as", value_name = "host:NAME")]
    pub name: Option<HostName>,

    /// Fill this PV or PVH domain, which `xl create -p` made and which never ran, from a bare libxc stream, as
    /// `xc-save --bare` writes it; it stays paused.
    #[arg(long, value_name = "DOMID")]
    pub into: Option<u32>,

    /// Leave the guest paused; `xl unpause NAME` or `xc-guest resume NAME` lets it run.
    #[arg(short, long)]
    pub paused: bool,

    /// Do not wait in the background for the guest's end. Nothing ever does for a guest process.
    #[arg(short = 'e')]
    pub no_wait: bool,

    /// Log for debugging, like -vv.
    #[arg(short = 'd')]
    pub debug: bool,

    /// Print the digest of the memory received, as `xc-guest hash` does.
    #[arg(long)]
    pub digest: bool,

    /// What is told.
    #[command(flatten)]
    pub reporting: Reporting,
}

impl Args {
    fn job(&self) -> Result<Job, SettingError> {
        Ok(Job {
            command: "xc-restore",
            from: Origin::Link(self.link.clone()),
            config: self.config.clone(),
            name: self.name.clone(),
            into: self.into,
            paused: self.paused,
            no_wait: self.no_wait,
            debug: self.debug,
            digest: self.digest,
            settings: Settings::from(&Values::load(self.reporting.flags())?),
        })
    }
}

/// Runs `xc-restore`.
#[must_use]
pub fn main(args: &Args) -> Exit {
    log::init(verbosity(args.reporting.verbose, args.debug));
    match args.job() {
        Ok(job) => crate::run(&job),
        Err(error) => wrong_setting("xc-restore", &error),
    }
}

/// `-v` and xl's `-d` together.
pub(crate) fn verbosity(verbose: u8, debug: bool) -> u8 {
    verbose.max(if debug { DEBUG } else { 0 })
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
    fn the_configuration_comes_first_and_may_be_missing() {
        let parse = |args: &[&str]| Args::try_parse_from([&["xc-restore"], args].concat()).unwrap();
        let one = parse(&["-p", "-e", "-d", "web.img"]);
        assert_eq!((one.config, one.link.to_string()), (None, "web.img".into()));
        let two = parse(&["web.json", "web.img"]);
        assert_eq!((two.config, two.link.to_string()), (Some("web.json".into()), "web.img".into()));
    }
}
