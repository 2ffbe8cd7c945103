//! `xc-migrate`: a migration as `xl migrate` does it, and the commands around it.

mod cli;
mod doctor;
mod predict;
mod show;

use ffi::link::LinkSpec;

use crate::cli::wrong_setting;
use crate::console::say;
use crate::exit::Exit;
use crate::forecast::rehearse;
use crate::job::{Afterwards, Destination, Job};
use crate::settings::{Flags, SSH, SettingError, Settings, Values};
use crate::{log, notes};

pub use cli::Args;
use cli::{Command, Move};

/// The command, for messages.
const NAME: &str = "xc-migrate";

/// Runs `xc-migrate`.
#[must_use]
pub fn main(args: &Args) -> Exit {
    log::init(args.reporting.verbose);
    match &args.command {
        Some(Command::Status { id, json }) => show::status(id.as_ref(), *json),
        Some(Command::Cancel { id }) => show::cancel(id),
        Some(Command::Resume { domain }) => show::resume(domain),
        Some(Command::Config) => show::config(),
        Some(Command::Record(args)) => predict::record(args),
        Some(Command::Learn(args)) => predict::learn(args),
        Some(Command::Predict(args)) => predict::predict(args),
        Some(Command::Doctor { host }) => doctor::run(host.as_deref()),
        None => move_guest(&args.movement, args.reporting.flags()),
    }
}

fn move_guest(movement: &Move, reporting: Flags) -> Exit {
    let job = match job(movement, reporting) {
        Ok(Some(job)) => job,
        // clap asks for both guest and host where there is no other command.
        Ok(None) => return Exit::Usage,
        Err(error) => return wrong_setting(NAME, &error),
    };
    if let (Destination::Link(_), true) = (&job.to, movement.paused) {
        say(
            "xc-migrate: the receiver of a tcp:// or unix: link is started by hand; give -p to that xc-restore",
        );
        return Exit::Usage;
    }
    if let Err(note) = notes::check(&job) {
        say(format_args!("{NAME}: {note}"));
        return Exit::Usage;
    }
    if movement.dry_run { rehearse(&job) } else { crate::run(&job) }
}

fn job(movement: &Move, mut flags: Flags) -> Result<Option<Job>, SettingError> {
    flags.extend(movement.tuning.flags());
    flags.extend(movement.ssh.clone().map(|ssh| (&SSH, ssh)));
    let settings = Settings::from(&Values::load(flags)?);
    let (Some(domain), Some(host)) = (movement.domain.clone(), &movement.host) else { return Ok(None) };
    Ok(Some(Job {
        command: NAME,
        domain,
        to: destination(movement, host, &settings),
        live: true,
        verify: movement.tuning.debug,
        afterwards: if movement.hold { Afterwards::Hold } else { Afterwards::End },
        paused_there: movement.paused,
        bare: false,
        preserve_domid: movement.preserve_domid,
        config: movement.config.clone(),
        settings,
    }))
}

/// A link that somebody listens on, or a command that starts the receiver.
fn destination(movement: &Move, host: &str, settings: &Settings) -> Destination {
    if let Ok(link @ (LinkSpec::Tcp { .. } | LinkSpec::Unix(_))) = host.parse() {
        return Destination::Link(link);
    }
    let command = if settings.ssh.is_empty() { host.to_owned() } else { receiver(movement, host, settings) };
    Destination::Command { host: host.to_owned(), command }
}

/// As `xl migrate` has it, and with its letters.
fn receiver(movement: &Move, host: &str, settings: &Settings) -> String {
    let mut command = format!("exec {} {} {}", settings.ssh, quoted(host), settings.receiver);
    for (flag, given) in [(" -e", movement.no_wait), (" -p", movement.paused)] {
        if given {
            command.push_str(flag);
        }
    }
    command
}

/// As one word of the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn command(args: &[&str], ssh: &str) -> String {
        let args = Args::parse_from([&["xc-migrate"], args].concat());
        let settings = Settings { ssh: ssh.into(), ..Settings::from(&Values::defaults()) };
        match destination(&args.movement, args.movement.host.as_deref().unwrap(), &settings) {
            Destination::Command { command, .. } => command,
            Destination::Link(link) => link.to_string(),
        }
    }

    #[test]
    fn the_receiver_is_started_as_xl_starts_it() {
        assert_eq!(command(&["host:web", "b"], "ssh"), "exec ssh 'b' xc-migrate-receive");
        assert_eq!(
            command(&["-e", "-p", "host:web", "b"], "ssh -p 2"),
            "exec ssh -p 2 'b' xc-migrate-receive -e -p"
        );
        assert_eq!(command(&["host:web", "cat; ls"], ""), "cat; ls");
        assert_eq!(command(&["host:web", "a;b'c"], "ssh"), r"exec ssh 'a;b'\''c' xc-migrate-receive");
        assert_eq!(command(&["host:web", "tcp://b:7000"], "ssh"), "tcp://b:7000");
    }
}
