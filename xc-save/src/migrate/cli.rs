//! The command line of `xc-migrate`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::predict::{Learn, Predict, Record};
use crate::domain_name::{DomainName, XenName};
use crate::exit;
use crate::flags::{Reporting, Tuning};

const EXAMPLES: &str = "\
Examples:
  xc-migrate host:web other                through `ssh other xc-migrate-receive`
  xc-migrate host:web tcp://10.0.0.2:7000  to `xc-restore tcp://0.0.0.0:7000` there; neither authenticated nor
                                           encrypted
  xc-migrate -s '' host:web 'xc-migrate-receive --as host:web2'
                                           HOST is itself the command: here, to this same machine
  xc-migrate --max-downtime 300ms --timeout 60s host:web other
                                           give up (exit code 3) rather than stand still for longer
  xc-migrate status                        what moves here
  xc-migrate cancel host:web               the guest runs on here, within a second
  xc-migrate doctor other                  what is missing
  xc-migrate predict --link-rate 10G host:web
                                           what it would come to, under every policy
  xc-migrate record --for 60s host:web web.rec && xc-migrate learn web.rec -o web.model
  xc-migrate --stop am:model=web.model host:web other
                                           suspend it when the least is predicted to be left

Settings: /etc/xen/xc-migrate.toml, overridden by XC_MIGRATE_* in the environment, overridden by flags;
`xc-migrate config` shows what is in force.";

/// Migrates a running guest to another host.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "xc-migrate",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "xc-migrate [OPTIONS] <DOMAIN> <HOST>\n       xc-migrate <COMMAND>",
    after_help = format!("{EXAMPLES}\n\n{}", exit::HELP)
)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) movement: Move,

    #[command(flatten)]
    pub(super) reporting: Reporting,
}

/// What to do instead of moving a guest.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Show how running migrations get on.
    Status {
        /// Only this one, as it was named when it was started.
        id: Option<DomainName>,
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a running migration; the guest runs on here.
    Cancel {
        /// Which, as it was named when it was started.
        id: DomainName,
    },
    /// Let a Xen domain run that a migration left suspended here. Make sure that it runs nowhere else.
    Resume {
        /// Its name or id.
        domain: XenName,
    },
    /// Show the settings in force, and where each comes from.
    Config,
    /// Record which pages a guest writes, for `learn` and `predict`; the guest runs on as before.
    Record(Record),
    /// Make a model of recordings, with which --stop fm and am predict.
    Learn(Learn),
    /// Predict what a migration would come to, under the chosen and under every other policy.
    Predict(Predict),
    /// Look for what could keep a migration from working, and say what to do about it.
    Doctor {
        /// Look at the way to this host too: a name, or tcp://HOST:PORT.
        host: Option<String>,
    },
}

/// A guest to be moved.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Move {
    /// The guest: the name or id of a Xen domain, or host:NAME, a guest process of this machine.
    #[arg(required = true)]
    pub(super) domain: Option<DomainName>,

    /// Where to: a host for ssh, tcp://HOST:PORT or unix:PATH; with -s '' a shell command.
    #[arg(required = true, value_parser = host)]
    pub(super) host: Option<String>,

    /// Send this configuration instead of the guest's own (as `xc-image extract --config` writes it).
    #[arg(short = 'C', value_name = "CONFIG")]
    pub(super) config: Option<PathBuf>,

    /// Reach HOST with this command instead of ssh; with an empty one HOST itself is the command.
    #[arg(short = 's', value_name = "SSHCOMMAND")]
    pub(super) ssh: Option<String>,

    /// Do not wait in the background, on HOST, for the guest's end. Nothing ever does for a guest process.
    #[arg(short = 'e')]
    pub(super) no_wait: bool,

    /// Leave the guest paused on the target.
    #[arg(short, long)]
    pub(super) paused: bool,

    /// Preserve the domain id. A guest process has none, so this changes nothing there.
    #[arg(short = 'D')]
    pub(super) preserve_domid: bool,

    /// Keep the guest here, suspended, as NAME--migratedaway, instead of ending it.
    #[arg(long)]
    pub(super) hold: bool,

    /// Move nothing: watch the guest for ten seconds, and predict what the migration would come to.
    #[arg(long, visible_alias = "predict")]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) tuning: Tuning,
}

/// `ssh` would take a word that begins with a hyphen for an option.
fn host(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.starts_with('-') {
        return Err("a host name is expected");
    }
    Ok(text.to_owned())
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
    fn a_guest_or_a_command_is_needed() {
        let parse = |args: &[&str]| Args::try_parse_from([&["xc-migrate"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["host:web"]).is_err());
        assert!(parse(&["host:web", "-oProxyCommand=x"]).is_err());
        assert!(parse(&["a/b", "b"]).unwrap_err().to_string().contains("Xen domain"));
        assert!(parse(&["web", "b"]).is_ok());
        assert!(matches!(parse(&["status"]).unwrap().command, Some(Command::Status { .. })));
        assert!(parse(&["-C", "c", "-s", "", "-e", "-p", "-D", "--debug", "host:web", "b"]).is_ok());
    }
}
