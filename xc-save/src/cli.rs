//! The command line of `xc-save`.

use std::path::PathBuf;

use clap::Parser;
use ffi::link::LinkSpec;

use crate::console::{chain, say};
use crate::domain_name::DomainName;
use crate::exit::{self, Exit};
use crate::flags::{Reporting, Tuning};
use crate::forecast::rehearse;
use crate::job::{Afterwards, Destination, Job};
use crate::progress::Style;
use crate::settings::{SettingError, Settings, Values};
use crate::{log, notes};

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
    /// The guest: the name or id of a Xen domain, or host:NAME, a guest process of this machine.
    pub domain: DomainName,

    /// Where to: a file, - (standard output), fd:N, tcp://HOST:PORT or unix:PATH.
    #[arg(value_name = "FILE")]
    pub link: LinkSpec,

    /// A file with the configuration to save instead of the guest's own (as `xc-image extract --config` writes it).
    pub config: Option<PathBuf>,

    /// Copy the memory while the guest runs, and suspend it only for what is left.
    #[arg(short, long)]
    pub live: bool,

    /// Let the guest run on here after the save.
    #[arg(short = 'c', long = "checkpoint", conflicts_with = "hold")]
    pub checkpoint: bool,

    /// Leave the guest paused here after the save.
    #[arg(short, long, conflicts_with_all = ["checkpoint", "hold"])]
    pub paused: bool,

    /// Preserve the domain id. A guest process has none, so this changes nothing there.
    #[arg(short = 'D')]
    pub preserve_domid: bool,

    /// Keep the guest here, suspended, as NAME--migratedaway, instead of ending it; `xc-guest resume` and
    /// `xc-guest stop` decide later.
    #[arg(long)]
    pub hold: bool,

    /// Move nothing: watch the guest for ten seconds, and predict what the save would come to.
    #[arg(long, visible_alias = "predict")]
    pub dry_run: bool,

    /// Of a PV or PVH domain, write the libxc stream alone, without xl and libxl around it; `xc-restore --into` takes
    /// it.
    #[arg(long)]
    pub bare: bool,

    /// How the guest is moved.
    #[command(flatten)]
    pub tuning: Tuning,

    /// What is told.
    #[command(flatten)]
    pub reporting: Reporting,
}

impl Args {
    /// What the command line and the other settings ask for.
    ///
    /// # Errors
    /// When a setting outside the command line is wrong.
    pub fn job(&self) -> Result<Job, SettingError> {
        let values = Values::load([self.tuning.flags(), self.reporting.flags()].concat())?;
        Ok(Job {
            command: "xc-save",
            domain: self.domain.clone(),
            to: Destination::Link(self.link.clone()),
            live: self.live,
            verify: self.tuning.debug,
            afterwards: self.afterwards(),
            paused_there: false,
            bare: self.bare,
            preserve_domid: self.preserve_domid,
            config: self.config.clone(),
            settings: Settings::from(&values),
        })
    }

    fn afterwards(&self) -> Afterwards {
        match (self.checkpoint, self.paused, self.hold) {
            (true, ..) => Afterwards::Run,
            (_, true, _) => Afterwards::Pause,
            (.., true) => Afterwards::Hold,
            _ => Afterwards::End,
        }
    }
}

/// Runs `xc-save`.
#[must_use]
pub fn main(args: &Args) -> Exit {
    log::init(args.reporting.verbose);
    let job = match args.job() {
        Ok(job) => job,
        Err(error) => return wrong_setting("xc-save", &error),
    };
    if job.settings.report.progress == Style::Json && args.link == LinkSpec::Stdio {
        say("xc-save: the stream and --progress json cannot both go to standard output");
        return Exit::Usage;
    }
    if let Err(note) = notes::check(&job) {
        say(format_args!("xc-save: {note}"));
        return Exit::Usage;
    }
    if args.dry_run { rehearse(&job) } else { crate::run(&job) }
}

/// Says that a setting is wrong, and that nothing was touched.
#[must_use]
pub fn wrong_setting(command: &str, error: &SettingError) -> Exit {
    say(format_args!("{command}: {}", chain(error)));
    Exit::Usage
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
        assert!(mistake(&["xc-save", "a/b", "f"]).contains("Xen domain"));
        assert!(
            mistake(&["xc-save", "--stop", "itd", "host:web", "f"]).contains("classic, fni:n=N, psc, xen")
        );
        assert!(mistake(&["xc-save", "--timeout", "60", "host:web", "f"]).contains("300ms, 60s or 10min"));
        assert!(mistake(&["xc-save", "host:web", "tcp://x"]).contains("tcp://HOST:PORT"));
        assert!(mistake(&["xc-save", "-c", "--hold", "host:web", "f"]).contains("cannot be used with"));
        assert!(mistake(&["xc-save", "-c", "-p", "host:web", "f"]).contains("cannot be used with"));
    }
}
