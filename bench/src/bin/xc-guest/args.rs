//! The command line of `xc-guest`.

use bench::size::parse_pages;
use bench::workload;
use clap::{Parser, Subcommand};
use ffi::host::GuestConfig;

const AFTER_HELP: &str = "\
A guest is a process with memory of its own and workload threads as its vCPUs. It can be migrated like a domain:
its name for xc-save and xc-migrate is host:NAME.

Examples:
  xc-guest run web --memory 512M --workload pagemod:rate=30000
  xc-guest info web
  xc-guest balloon web 256M --wait
  xc-guest hash web

Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 there is no such guest.
Environment: XC_HOST_DIR is the directory of the control sockets (default /run/xc-host for root, else
$XDG_RUNTIME_DIR/xc-host).";

/// Runs guest processes of this machine, and looks after them.
#[derive(Debug, Parser)]
#[command(name = "xc-guest", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a guest; returns when it runs.
    Run(RunArgs),
    /// List the guests, and sweep the sockets of dead ones away.
    List {
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show how a guest is.
    Info {
        /// The guest.
        name: String,
        /// As a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the digest of a guest's memory and its number of populated pages; it stands still meanwhile.
    Hash {
        /// The guest.
        name: String,
    },
    /// Have a guest give memory back, or take it again.
    Balloon {
        /// The guest.
        name: String,
        /// How much memory it shall have populated.
        #[arg(value_parser = parse_pages)]
        size: u64,
        /// Return when it has.
        #[arg(long)]
        wait: bool,
    },
    /// End a guest.
    Stop {
        /// The guest.
        name: String,
    },
    /// Stop a guest's vCPUs until 'resume'.
    Pause {
        /// The guest.
        name: String,
    },
    /// Let a paused guest run, or take back one that was handed over (NAME--migratedaway).
    ///
    /// Taking back is the way out of a migration whose end is unknown: first make sure that the guest does not run
    /// on the target.
    Resume {
        /// The guest.
        name: String,
    },
    /// Be the process of a guest whose parent speaks on standard input.
    #[command(hide = true)]
    Adopt,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Its name: letters, digits, '.', '_' and '-'.
    name: String,
    /// Its memory, like 512M or 2G.
    #[arg(long, default_value = "256M", value_parser = parse_pages)]
    memory: u64,
    /// How many vCPUs: workload threads, each with its own share of the pages.
    #[arg(long, default_value_t = 1)]
    vcpus: u32,
    /// What its vCPUs do.
    #[arg(long, default_value = "idle", help = format!("What its vCPUs do: {}", workload::KNOWN))]
    workload: String,
    /// What its memory holds at first: random, text, zero or mixed.
    #[arg(long, default_value = "random")]
    fill: String,
    /// Seed of all that is random in it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start it paused.
    #[arg(long)]
    pub(crate) paused: bool,
    /// Stay in the foreground until the guest ends.
    #[arg(long)]
    pub(crate) foreground: bool,
}

impl RunArgs {
    pub(crate) fn into_config(self) -> GuestConfig {
        let Self { name, memory: pages, vcpus, workload, fill, seed, .. } = self;
        GuestConfig { name, pages, vcpus, workload, fill, seed }
    }
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
