//! A forecast as a table for people.

use std::fmt::Write as _;

use super::{Forecast, Outlook, Spread};

/// Bytes in a MiB.
const MIB: f64 = (1 << 20) as f64;
/// Bits in a gigabit.
const GIGABIT: f64 = 1e9;
/// Milliseconds in a second.
const MILLIS: f64 = 1e3;

impl Forecast {
    /// A line a pair of policies, the chosen one first; in the middle, and over the starting moments.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { pages, populated, watched, .. } = self;
        let rate = self.link_rate / GIGABIT;
        writeln!(
            text,
            "{populated} of {pages} pages with memory, watched for {watched:.1} s; a link of {rate:.2} Gbit/s"
        )?;
        writeln!(text, "{:<25}{:>20}{:>21}{:>7}{:>7}", "", "total, s", "downtime, ms", "MiB", "rounds")?;
        let Some((chosen, others)) = self.policies.split_first() else { return Ok(()) };
        writeln!(text, "--stop {} --bandwidth {}", chosen.stop, chosen.bandwidth)?;
        write_row(text, "  as chosen", chosen)?;
        for row in others {
            let other = if row.stop == chosen.stop { &row.bandwidth } else { &row.stop };
            write_row(text, &format!("  {other}"), row)?;
        }
        write_best(text, chosen)?;
        writeln!(text, "Suspending and resuming the guest and the hand-over come on top.")
    }
}

fn write_row(text: &mut String, name: &str, row: &Outlook) -> std::fmt::Result {
    let (Some(total), Some(downtime), Some(bytes), Some(rounds)) =
        (row.total, row.downtime, row.bytes, row.rounds)
    else {
        let why = row.starts.iter().find_map(|start| start.fails.as_deref()).unwrap_or_default();
        return writeln!(text, "{name:<25} {why}");
    };
    let (total, downtime) = (range(total, 1.0, 2), range(downtime, MILLIS, 1));
    let mib = bytes.median / MIB;
    writeln!(text, "{name:<25}{total:>20}{downtime:>21}{mib:>7.0}{:>7.0}", rounds.median)
}

/// `12.3 (10.1-15.0)`; without brackets where all are alike.
fn range(spread: Spread, scale: f64, digits: usize) -> String {
    let show = |figure: f64| format!("{:.digits$}", figure * scale);
    let (least, median, most) = (show(spread.least), show(spread.median), show(spread.most));
    if least == most { median } else { format!("{median} ({least}-{most})") }
}

fn write_best(text: &mut String, chosen: &Outlook) -> std::fmt::Result {
    let (Some((at, best)), Some(downtime)) = (chosen.best(), chosen.downtime) else { return Ok(()) };
    let failures = chosen.starts.iter().filter(|start| start.figures.is_none()).count();
    if failures > 0 {
        writeln!(text, "From {failures} of {} starting moments it fails.", chosen.starts.len())?;
    }
    if downtime.least == downtime.most {
        return Ok(());
    }
    writeln!(
        text,
        "The best moment to start is {at:.1} s into what was watched: {:.1} ms, {:.2} s in all.",
        best.downtime * MILLIS,
        best.total
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::{Figures, Start};

    fn outlook(stop: &str, downtimes: &[Option<f64>]) -> Outlook {
        let start = |(index, downtime): (usize, &Option<f64>)| Start {
            at: index as f64,
            figures: downtime.map(|downtime| Figures { total: 2.0, downtime, bytes: 3 << 20, rounds: 5 }),
            fails: downtime.is_none().then(|| "stop policy x gave up".to_owned()),
        };
        Outlook::new(stop, "unlimited", downtimes.iter().enumerate().map(start).collect())
    }

    #[test]
    fn a_table_fits_the_screen_and_names_the_best_moment() {
        let policies = vec![
            outlook("xen", &[Some(0.3), Some(0.0125), None]),
            outlook("deadline:60s,then=stop", &[Some(0.01)]),
            outlook("downtime:300ms", &[None]),
        ];
        let forecast = Forecast { pages: 9, populated: 8, watched: 1.0, link_rate: 1e10, policies };
        let table = forecast.table();
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        assert!(table.contains("2.00   300.0 (12.5-300.0)      3      5"), "{table}");
        assert!(table.contains("  downtime:300ms          stop policy x gave up"), "{table}");
        assert!(table.contains("is 1.0 s into what was watched: 12.5 ms, 2.00 s in all"), "{table}");
        assert!(table.contains("From 1 of 3 starting moments"), "{table}");
    }
}
