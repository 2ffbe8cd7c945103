//! All that `xc-bench` prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::fmt::Display;
use std::io::Write as _;

use bench::run::Progress;

/// A line for people.
pub(crate) fn say(line: impl Display) {
    eprintln!("{line}");
}

/// A line of data; at once, because somebody may wait for it.
pub(crate) fn data(line: impl Display) {
    println!("{line}");
    // Nobody reads it any more: the work goes on all the same.
    let _ = std::io::stdout().flush();
}

/// A measurement of a run.
pub(crate) fn progress(progress: &Progress<'_>) {
    let Progress { done, of, left, row } = progress;
    let figures = match &row.measured {
        Some(m) => {
            let downtime = m.downtime.map(|s| format!(", downtime {:.1} ms", s * 1e3)).unwrap_or_default();
            format!("{:.2} s, {:.2} Gbit/s{downtime}", m.total, m.goodput() / 1e9)
        }
        None => format!("FAILED: {}", row.error.as_deref().unwrap_or_default()),
    };
    let seconds = left.as_secs();
    say(format_args!(
        "[{done}/{of}, {}:{:02} left] {} #{}: {figures}",
        seconds / 60,
        seconds % 60,
        row.cell,
        row.turn
    ));
}
