//! Flags that several commands share. Each that can also be set elsewhere is a [`Setting`](crate::settings).

use std::path::PathBuf;

use clap::Args;

use crate::settings::{self, Flags};

/// How the guest is moved: the flags of `xc-save` and `xc-migrate`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How to move it")]
pub struct Tuning {
    /// When to end the live copy.
    #[arg(long, value_name = "NAME[:k=v,...]", value_parser = settings::STOP.parser(), long_help = settings::stop_help())]
    pub stop: Option<String>,

    /// How fast to send.
    #[arg(long, value_name = "NAME[:k=v,...]", value_parser = settings::BANDWIDTH.parser(), long_help = settings::bandwidth_help())]
    pub bandwidth: Option<String>,

    /// What the link carries, bit/s (100M, 1G, 10G); for estimates, instead of the measured rate.
    #[arg(long, value_name = "RATE", value_parser = settings::LINK_RATE.parser())]
    pub link_rate: Option<String>,

    /// Suspend the guest only when it would stand still for no longer than this (300ms, 1s).
    ///
    /// Where the stop policy would suspend it all the same, the live copy goes on until --timeout, and without
    /// one --timeout-action is taken at once.
    #[arg(long, value_name = "TIME", value_parser = settings::MAX_DOWNTIME.parser())]
    pub max_downtime: Option<String>,

    /// How long the live copy may take (60s, 10min).
    #[arg(long, value_name = "TIME", value_parser = settings::TIMEOUT.parser())]
    pub timeout: Option<String>,

    /// What to do then: abort, at once, exit code 3; or stop, suspend the guest at the end of the running round.
    #[arg(long, value_name = "abort|stop", value_parser = settings::TIMEOUT_ACTION.parser())]
    pub timeout_action: Option<String>,

    /// How the guest's memory is read while it runs: full, all of it mapped once; or batch, mapped as it is sent.
    #[arg(long, value_name = "full|batch", value_parser = settings::MAP.parser())]
    pub map: Option<String>,

    /// Send the pages over this many connections at once, 1 to 16, each with a thread of its own at both ends; or auto.
    ///
    /// For a guest process and a tcp: link, whose other end is an `xc-restore`. More than one helps where the link is faster
    /// than one processor copies, or takes memory on the target. Not given, it is auto: two where there are as many
    /// processors, and one where the second cannot be had. Elsewhere, and for Xen domains, whose stream is libxl's, there
    /// is one whatever is set.
    #[arg(long, value_name = "auto|NUMBER", value_parser = settings::CONNECTIONS.parser())]
    pub connections: Option<String>,

    /// Send all pages a second time while the guest is suspended; the target compares them and fails if any
    /// differs.
    #[arg(long)]
    pub debug: bool,
}

impl Tuning {
    /// The flags that were given.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let pairs = [
            (&settings::STOP, &self.stop),
            (&settings::BANDWIDTH, &self.bandwidth),
            (&settings::LINK_RATE, &self.link_rate),
            (&settings::MAX_DOWNTIME, &self.max_downtime),
            (&settings::TIMEOUT, &self.timeout),
            (&settings::TIMEOUT_ACTION, &self.timeout_action),
            (&settings::MAP, &self.map),
            (&settings::CONNECTIONS, &self.connections),
        ];
        pairs.into_iter().filter_map(|(setting, flag)| Some((setting, flag.clone()?))).collect()
    }
}

/// What is told, and to whom: the flags of every command that moves memory.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to tell")]
pub struct Reporting {
    /// How to show progress: auto (a bar on a terminal, lines elsewhere), plain, json (lines on standard output)
    /// or none.
    #[arg(long, value_name = "STYLE", value_parser = settings::PROGRESS.parser())]
    pub progress: Option<String>,

    /// Write what happened to this file, as JSON (docs/stats.schema.json).
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Keep this file up to date for Prometheus' textfile collector.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// Log more to standard error: -v what is done, -vv how, -vvv everything.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Reporting {
    /// The flags that were given.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let pairs = [
            (&settings::PROGRESS, self.progress.clone()),
            (&settings::STATS, self.stats.as_ref().map(text)),
            (&settings::METRICS, self.metrics.as_ref().map(text)),
        ];
        pairs.into_iter().filter_map(|(setting, flag)| Some((setting, flag?))).collect()
    }
}
