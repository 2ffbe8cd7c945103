//! The command line of `xc-bench`.

use std::path::PathBuf;
use std::time::Duration;

use bench::bed::LinkSpec;
use bench::world::Temperature;
use bench::{Error, size};
use clap::{Parser, Subcommand};
use policy::units;

const AFTER_HELP: &str = "\
Examples:
  xc-bench run quick                      a few minutes; then
  xc-bench report runs/quick              runs/quick/report.html
  xc-bench link --rate 10G --mtu 9000     one migration over a shaped link, with the path's facts
  xc-bench peers                          against an ideal copier and QEMU
  xc-bench compare bench/runs/BASE runs/quick

Measurements run in namespaces of their own, without root where the kernel lets an ordinary user have them; nothing of them
is left however they end. Needs ip, tc and ss (iproute2) and unshare (util-linux); peers needs qemu-system-x86.

Exit codes: 0 done; 1 compare found a regression; 2 failed or wrong usage; 130 interrupted (the rows so far are kept).";

/// Measures migrations, draws and compares what it measured.
#[derive(Debug, Parser)]
#[command(name = "xc-bench", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure every cell of a plan; a run that was interrupted goes on where it was.
    Run {
        /// A shipped plan (quick, akoush-fig1, akoush-table2, itc, bda, markov, peers) or a TOML file.
        plan: String,
        /// The run's directory; runs/PLAN if not given.
        #[arg(long)]
        out: Option<PathBuf>,
        /// How often every cell is measured, whatever the plan says.
        #[arg(long)]
        repeat: Option<u32>,
    },
    /// Draw a run: report.html and its figures, in the run's directory.
    Report {
        /// The run's directory.
        run: PathBuf,
    },
    /// Compare two runs cell by cell: medians, ratios and their confidence intervals.
    Compare {
        /// The run to compare with.
        base: PathBuf,
        /// The run to judge.
        new: PathBuf,
        /// How much slower is a regression: 0.05 is 5 %.
        #[arg(long, default_value_t = 0.05, value_parser = parse_bound)]
        bound: f64,
    },
    /// Measure our data path against an ideal copier and QEMU: the plan peers.
    Peers {
        /// The run's directory; runs/peers if not given.
        #[arg(long)]
        out: Option<PathBuf>,
        /// How often every peer is measured, whatever the plan says.
        #[arg(long)]
        repeat: Option<u32>,
    },
    /// Run one migration over a link, and tell the path's facts.
    Link(LinkArgs),
    /// Is one end of an ideal copy.
    #[command(hide = true)]
    Copier {
        /// How much.
        #[arg(long, value_parser = size::parse_pages)]
        memory: u64,
        #[command(subcommand)]
        end: CopierEnd,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct LinkArgs {
    /// Bit/s of Ethernet frames, like 100M, 1G or 10G.
    #[arg(long, default_value = "1G")]
    rate: String,
    /// The payload of a frame, bytes.
    #[arg(long, default_value_t = 1500)]
    mtu: u32,
    /// Let the interface take segments of 64 KiB, as a network card does that cuts them up itself.
    #[arg(long)]
    offload: bool,
    /// The round-trip time that the socket buffers are made for, microseconds.
    #[arg(long, default_value_t = 1000)]
    rtt_us: u64,
    /// The guest's memory.
    #[arg(long, default_value = "256M")]
    pub(crate) memory: String,
    /// The guest's workload.
    #[arg(long, default_value = "idle")]
    pub(crate) workload: String,
    /// The stop policy.
    #[arg(long, default_value = "xen")]
    pub(crate) stop: String,
    /// The bandwidth policy.
    #[arg(long, default_value = "unlimited")]
    pub(crate) bandwidth: String,
    /// What others send over the link meanwhile, bit/s of payload.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) others: Option<f64>,
}

impl LinkArgs {
    pub(crate) fn spec(&self) -> Result<LinkSpec, Error> {
        format!("{}/{}{}", self.rate, self.mtu, if self.offload { "/offload" } else { "" }).parse()
    }

    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum CopierEnd {
    /// Listens, and says on which port.
    Receive {
        /// Where to listen.
        address: String,
        /// cold or warm.
        temperature: Temperature,
    },
    /// Connects, and says how long it took.
    Send {
        /// HOST:PORT.
        address: String,
    },
}

fn rate(text: &str) -> Result<f64, &'static str> {
    units::bits_per_second(text).ok_or("not a rate such as 600M or 2.5G")
}

fn parse_bound(text: &str) -> Result<f64, String> {
    let bound = text.parse().ok().filter(|bound| (0.0..10.0).contains(bound));
    bound.ok_or_else(|| "not a share from 0 to 10, such as 0.05".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
