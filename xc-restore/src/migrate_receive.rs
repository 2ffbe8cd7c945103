//! The command line of `xc-migrate-receive`.

use clap::Parser;
use xc_save::cli::wrong_setting;
use xc_save::domain_name::HostName;
use xc_save::exit::{self, Exit};
use xc_save::flags::Reporting;
use xc_save::log;
use xc_save::progress::Style;
use xc_save::settings::{SettingError, Settings, Values};

use crate::cli::verbosity;
use crate::job::{Job, Origin};

const EXAMPLES: &str = "\
Examples:
  xc-migrate host:web other                is what starts it, as `ssh other xc-migrate-receive`
  xc-migrate -s '' host:web 'ssh -C other xc-migrate-receive --as host:web2'
                                           the same by hand, under another name";

/// Takes a guest that `xc-migrate` sends: standard input and output are the link.
#[derive(Clone, Debug, Parser)]
#[command(name = "xc-migrate-receive", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Args {
    /// The guest's name here; its own if not given. A Xen domain's name is in its configuration.
    #[arg(long = "as", value_name = "host:NAME")]
    pub name: Option<HostName>,

    /// Leave the guest paused; `xl unpause NAME` or `xc-guest resume NAME` lets it run.
    #[arg(short, long)]
    pub paused: bool,

    /// Do not wait in the background for the guest's end. Nothing ever does for a guest process.
    #[arg(short = 'e')]
    pub no_wait: bool,

    /// Log for debugging, like -vv.
    #[arg(short = 'd')]
    pub debug: bool,

    /// What is told. The sender shows the progress, so there is none here.
    #[command(flatten)]
    pub reporting: Reporting,
}

impl Args {
    fn job(&self) -> Result<Job, SettingError> {
        let mut settings = Settings::from(&Values::load(self.reporting.flags())?);
        let report = &mut settings.report;
        // Standard output is the link's, and the sender's bar has the terminal.
        if self.reporting.progress.is_none() || report.progress == Style::Json {
            report.progress = Style::None;
        }
        Ok(Job {
            command: "migration target",
            from: Origin::Migration,
            config: None,
            name: self.name.clone(),
            into: None,
            paused: self.paused,
            no_wait: self.no_wait,
            debug: self.debug,
            digest: false,
            settings,
        })
    }
}

/// Runs `xc-migrate-receive`.
#[must_use]
pub fn main(args: &Args) -> Exit {
    log::init(verbosity(args.reporting.verbose, args.debug));
    match args.job() {
        Ok(job) => crate::run(&job),
        Err(error) => wrong_setting("xc-migrate-receive", &error),
    }
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
