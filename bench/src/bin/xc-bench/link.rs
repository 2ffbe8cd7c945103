//! `xc-bench link`: one migration over a link, and what the path did with it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bench::bed::{self, Network, Others, PathFacts};
use bench::plan::Cell;
use bench::run::Measured;
use bench::{Error, world};

use crate::args::LinkArgs;
use crate::output::{data, say};

/// How often the path is looked at; the last look at the running migration counts.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &LinkArgs) -> Result<(), Error> {
    let spec = args.spec()?;
    let cell = cell(args, spec.to_string());
    cell.check()?;
    cell.check_possible()?;
    bed::enter()?;
    if let Some(warning) = spec.warning() {
        say(format_args!("warning: {warning}"));
    }
    let network = Network::new(spec, args.rtt())?;
    let others = args.others.map(|rate| Others::start(&network, rate)).transpose()?;
    let (measured, facts) = measure(&cell, &network)?;
    let others = others.map(Others::end).transpose()?;
    tell(&cell, &network, &measured, facts.as_ref());
    if let Some(rate) = others {
        row("others", &format!("{:.3} Gbit/s of payload", rate / 1e9));
    }
    Ok(())
}

fn cell(args: &LinkArgs, link: String) -> Cell {
    Cell {
        world: "host".into(),
        workload: args.workload.clone(),
        memory: args.memory.clone(),
        link,
        stop: args.stop.clone(),
        bandwidth: args.bandwidth.clone(),
        map: "full".into(),
    }
}

/// Migrates, and looks at the path meanwhile.
fn measure(cell: &Cell, network: &Network) -> Result<(Measured, Option<PathFacts>), Error> {
    thread::scope(|scope| {
        let (over, is_over) = mpsc::channel::<()>();
        let looker = scope.spawn(move || -> Result<_, Error> {
            let mut last = None;
            while is_over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                last = PathFacts::look(network)?.or(last);
            }
            Ok(last)
        });
        let measured = world::measure(cell, network);
        drop(over);
        let facts = looker.join().map_err(|_| Error::Refused("the look at the path panicked".into()))?;
        Ok((measured?, facts?))
    })
}

fn row(name: &str, value: &str) {
    data(format_args!("{name:<16}{value}"));
}

fn tell(cell: &Cell, network: &Network, m: &Measured, facts: Option<&PathFacts>) {
    row("link", &cell.link);
    if let Some(buffers) = network.buffers {
        let (kib, rtt) = (buffers.limit >> 10, buffers.rtt_us);
        row(
            "socket buffers",
            &format!(
                "up to {kib} KiB: {} bytes of bandwidth-delay product at {rtt} us",
                buffers.bandwidth_delay
            ),
        );
    }
    match facts {
        Some(f) => {
            row("path MTU", &format!("{} bytes", f.pmtu));
            row("MSS", &format!("{} bytes", f.mss));
            row("segments", &format!("{:.0} bytes on average, {} bytes sent again", f.segment(), f.resent));
            row("round trip", &format!("{:.3} ms at least", f.min_rtt_ms));
            row("send buffer", &format!("{} KiB at the end", f.send_buffer >> 10));
        }
        None => row("path", "the migration was over before it could be looked at"),
    }
    row("frames", &format!("{:.0} bytes on average", m.frame()));
    row("goodput", &format!("{:.3} Gbit/s of pages", m.goodput() / 1e9));
    row("total time", &format!("{:.3} s", m.total));
    row(
        "downtime",
        &format!("{:.1} ms by the tool, {} by the guest", m.downtime.unwrap_or_default() * 1e3, gap(m)),
    );
    row("rounds", &format!("{} ({})", m.rounds.len(), m.stop_reason));
}

fn gap(m: &Measured) -> String {
    m.gap.map_or_else(|| "unknown".to_owned(), |gap| format!("{:.1} ms", gap * 1e3))
}
