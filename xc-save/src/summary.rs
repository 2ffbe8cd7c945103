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
/// The width of the waterfall, characters; with its labels it fits a line of 80 columns.
const WIDTH: f64 = 40.0;

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
        let downtime = running.saturating_sub(report.downtime.stopped);
        row("downtime", format!("{:.1} ms, from the guest's stop until it runs there", millis(downtime)));
        table.push_str(&waterfall(report, running));
    }
    table.truncate(table.trim_end().len());
    table
}

/// Where the downtime went: each step's own time, and where it lies in the whole.
fn waterfall(report: &SaveReport, running: Duration) -> String {
    let moments = &report.downtime;
    let steps = [
        ("suspend", moments.suspended),
        ("last bitmap", moments.last_harvest),
        ("last pages", moments.last_page),
        ("state", moments.state),
        ("hand-over", running),
    ];
    let whole = running.saturating_sub(moments.asked).as_secs_f64().max(f64::EPSILON);
    let mut text = String::new();
    let mut begin = moments.asked;
    for (name, end) in steps {
        let column = |at: Duration| (at.saturating_sub(moments.asked).as_secs_f64() / whole * WIDTH).round();
        let (left, right) = (column(begin), column(end));
        let bar = "#".repeat(characters(right - left).max(1));
        let space = " ".repeat(characters(left.min(WIDTH - 1.0)));
        let time = millis(end.saturating_sub(begin));
        // Writing to a String does not fail.
        let _ = writeln!(text, "    {name:<12}{time:>8.1} ms  {space}{bar}");
        begin = end;
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to WIDTH")]
fn characters(columns: f64) -> usize {
    columns.clamp(0.0, WIDTH) as usize
}

fn gigabits_per_second(report: &SaveReport) -> f64 {
    report.bytes as f64 * BITS / GIGABIT / report.total.as_secs_f64().max(f64::EPSILON)
}

/// Milliseconds in a second, for people.
fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use engine::Waterfall;

    use super::*;

    #[test]
    fn the_waterfall_has_each_step_where_it_was() {
        let ms = Duration::from_millis;
        let report = SaveReport {
            pfn_limit: 1,
            policy: "xen".to_owned(),
            stop_reason: String::new(),
            rounds: Vec::new(),
            last_pages: 1,
            pages: 1,
            bytes: 1,
            links: 1,
            started: ms(0),
            total: ms(90),
            downtime: Waterfall {
                decided: ms(5),
                asked: ms(10),
                stopped: ms(10),
                suspended: ms(20),
                last_harvest: ms(20),
                last_page: ms(70),
                state: ms(80),
            },
            peeks: engine::Peeks::default(),
        };
        let text = waterfall(&report, ms(90));
        let bars: Vec<_> = text.lines().map(|line| (line.find('#'), line.matches('#').count())).collect();
        let at = |column: usize| Some("    suspend         10.0 ms  ".len() + column);
        assert_eq!(bars, [(at(0), 5), (at(5), 1), (at(5), 25), (at(30), 5), (at(35), 5)]);
        assert!(text.lines().all(|line| line.len() <= 80));
    }
}
