//! The table at the end of a save.

use std::fmt::Write;
use std::time::Duration;

use engine::SaveReport;

/// Bits in a byte.
const BITS: f64 = 8.0;
/// Bits in a gigabit.
const GIGABIT: f64 = 1e9;
/// Bytes in a MiB.
const MIB: f64 = (1 << 20) as f64;

/// One line a figure. `running` is when the target said that the guest runs.
pub(crate) fn table(report: &SaveReport, running: Option<Duration>) -> String {
    let mut table = String::new();
    let mut row = |name: &str, value: String| {
        // Writing to a String does not fail.
        let _ = writeln!(table, "  {name:<12}{value}");
    };
    if !report.policy.is_empty() {
        row(
            "rounds",
            format!("{} live, then {} ({})", report.rounds.len(), report.policy, report.stop_reason),
        );
    }
    row("pages", format!("{} sent, {} of them while the guest stood", report.pages, report.last_pages));
    row("bytes", format!("{} ({:.1} MiB)", report.bytes, report.bytes as f64 / MIB));
    row("rate", format!("{:.2} Gbit/s", gigabits_per_second(report)));
    row("total time", format!("{:.3} s", running.unwrap_or(report.total).as_secs_f64()));
    if let Some(running) = running {
        let downtime = running.saturating_sub(report.downtime.asked);
        row(
            "downtime",
            format!(
                "{:.1} ms, from the request to suspend to the guest's run on the target",
                millis(downtime)
            ),
        );
    }
    table.truncate(table.trim_end().len());
    table
}

fn gigabits_per_second(report: &SaveReport) -> f64 {
    report.bytes as f64 * BITS / GIGABIT / report.total.as_secs_f64().max(f64::EPSILON)
}

/// Milliseconds in a second, for people.
fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
