//! One measurement, and the files of them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::PAGE_SIZE;
use ffi::link::Sent;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::plan::Cell;

/// A line a measurement.
const JSON: &str = "rows.jsonl";
/// The same for spreadsheets.
const CSV: &str = "rows.csv";
/// Bits in a byte.
const BITS: f64 = 8.0;

/// What a migration came to. Times are seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From the start until the target said that the guest runs.
    pub total: f64,
    /// From the start until the link had accepted the last byte.
    pub copy: f64,
    /// How long the link took to run empty before the guest was stopped.
    pub drain: Option<f64>,
    /// From the guest's stop until the target said that it runs, by the tool.
    pub downtime: Option<f64>,
    /// The same by the guest's own clock.
    pub gap: Option<f64>,
    /// The part of the downtime in which pages were copied: what the papers' models say of it.
    pub last_copy: Option<f64>,
    /// Pages sent, repeated ones each time.
    pub pages: u64,
    /// Pages sent while the guest stood still.
    pub last_pages: Option<u64>,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Processor time of both sides.
    pub cpu: Option<f64>,
    /// The part of all processors' time that whoever runs this virtual machine gave to others meanwhile, 0 to 1.
    pub stolen: Option<f64>,
    /// The same during the downtime alone.
    pub stolen_down: Option<f64>,
    /// When the guest stood still, by its own word and by the tool's together: `CLOCK_MONOTONIC` of this machine.
    #[serde(skip)]
    pub stood: Option<Range<Duration>>,
    /// Why the pre-copy ended.
    pub stop_reason: String,
    /// What the source's interface sent.
    pub traffic: Sent,
    /// The rounds of the pre-copy.
    pub rounds: Vec<RoundRow>,
}

/// One round, as `xc-save --stats` tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundRow {
    /// 1 for the first.
    pub number: u32,
    /// Pages that were to be sent.
    pub planned: u64,
    /// Pages sent.
    pub sent: u64,
    /// Pages that were dirty again before their turn.
    pub skipped: u64,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Seconds.
    pub duration: f64,
    /// Pages that were dirty after it.
    pub dirty: u64,
}

impl Measured {
    /// Pages moved in a second, as bits/s.
    #[must_use]
    pub fn goodput(&self) -> f64 {
        self.pages as f64 * PAGE_SIZE as f64 * BITS / self.total
    }

    /// What the link took while it was never waited for: the stream's bit/s in the first round, else over all.
    #[must_use]
    pub fn link_speed(&self) -> f64 {
        let whole = RoundRow { bytes: self.bytes, duration: self.copy, ..RoundRow::default() };
        let round = self.rounds.first().unwrap_or(&whole);
        round.bytes as f64 * BITS / round.duration
    }

    /// What was stolen of the whole or of the downtime, whichever is more.
    pub(super) fn disturbance(&self) -> f64 {
        self.stolen.unwrap_or(0.0).max(self.stolen_down.unwrap_or(0.0))
    }

    /// Bytes of a frame on average.
    #[must_use]
    pub fn frame(&self) -> f64 {
        self.traffic.bytes as f64 / self.traffic.frames.max(1) as f64
    }
}

/// A measurement of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    #[serde(flatten)]
    pub cell: Cell,
    /// For the how-manieth time, from 1.
    pub turn: u32,
    /// When it was done, seconds since 1970.
    pub at: u64,
    /// What it came to; nothing if it failed.
    pub measured: Option<Measured>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Row {
    /// A row of a measurement that just ended.
    #[must_use]
    pub fn new(cell: Cell, turn: u32, result: Result<Measured, Error>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let error = result.as_ref().err().map(Error::chain);
        Self { cell, turn, at, measured: result.ok(), error }
    }

    const COLUMNS: [&str; 19] = [
        "turn",
        "at",
        "total_s",
        "copy_s",
        "drain_s",
        "downtime_s",
        "gap_s",
        "last_copy_s",
        "pages",
        "last_pages",
        "bytes",
        "rounds",
        "goodput_bit_s",
        "cpu_s",
        "stolen",
        "stolen_down",
        "frame_bytes",
        "stop_reason",
        "error",
    ];

    fn csv(&self) -> String {
        let axes = Cell::AXES.map(|axis| self.cell.axis(axis).to_owned());
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let of = |f: fn(&Measured) -> f64| number(self.measured.as_ref().map(f));
        let maybe = |f: fn(&Measured) -> Option<f64>| number(self.measured.as_ref().and_then(f));
        let rest = [
            self.turn.to_string(),
            self.at.to_string(),
            of(|m| m.total),
            of(|m| m.copy),
            maybe(|m| m.drain),
            maybe(|m| m.downtime),
            maybe(|m| m.gap),
            maybe(|m| m.last_copy),
            of(|m| m.pages as f64),
            maybe(|m| m.last_pages.map(|pages| pages as f64)),
            of(|m| m.bytes as f64),
            of(|m| m.rounds.len() as f64),
            of(Measured::goodput),
            maybe(|m| m.cpu),
            maybe(|m| m.stolen),
            maybe(|m| m.stolen_down),
            of(Measured::frame),
            self.measured.as_ref().map(|m| m.stop_reason.clone()).unwrap_or_default(),
            self.error.clone().unwrap_or_default(),
        ];
        axes.iter().chain(&rest).map(|field| quoted(field)).collect::<Vec<_>>().join(",")
    }
}

/// A field of RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The rows of a run that goes on.
#[derive(Debug)]
pub(super) struct Rows {
    dir: PathBuf,
    rows: Vec<Row>,
    file: File,
}

impl Rows {
    /// Opens the rows of a run to add some. A last line that was not finished is cut off.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(JSON);
        let failed = |cause| Error::io(format!("open {}", path.display()), cause);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        file.set_len(whole_lines(&super::read(&path)?).len() as u64).map_err(failed)?;
        Ok(Self { dir: dir.to_owned(), rows: Self::read(dir)?, file })
    }

    /// The rows of a run; a last line that was not finished is none.
    pub(super) fn read(dir: &Path) -> Result<Vec<Row>, Error> {
        let path = dir.join(JSON);
        let text = super::read(&path)?;
        let parse = |(line, number): (&str, u32)| {
            let what = || format!("line {number} of {}", path.display());
            serde_json::from_str(line).map_err(|source| Error::Json { what: what(), source })
        };
        whole_lines(&text).lines().zip(1..).map(parse).collect()
    }

    /// What need not be measured again.
    pub(super) fn done(&self) -> impl Iterator<Item = (Cell, u32)> {
        self.rows.iter().filter(|row| row.measured.is_some()).map(|row| (row.cell.clone(), row.turn))
    }

    pub(super) fn push(&mut self, row: &Row) -> Result<(), Error> {
        let mut line =
            serde_json::to_vec(row).map_err(|source| Error::Json { what: "a row".into(), source })?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|cause| Error::io(format!("write {JSON}"), cause))?;
        self.rows.push(row.clone());
        Ok(())
    }

    pub(super) fn write_csv(&self) -> Result<(), Error> {
        let head: Vec<_> = Cell::AXES.iter().chain(&Row::COLUMNS).copied().collect();
        let lines = std::iter::once(head.join(",")).chain(self.rows.iter().map(Row::csv));
        super::write(&self.dir.join(CSV), &lines.map(|line| line + "\n").collect::<String>())
    }
}

/// The text up to its last line break.
fn whole_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(error: Option<&str>) -> Row {
        let cell = Cell { workload: "zipf:rate=1,s=2".into(), ..Cell::default() };
        let measured = Measured { total: 2.0, pages: 1000, ..Measured::default() };
        let result = error.map_or(Ok(measured), |text| Err(Error::Refused(text.into())));
        Row::new(cell, 1, result)
    }

    #[test]
    fn rows_are_read_back_and_an_unfinished_one_is_measured_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Rows::open(dir.path()).unwrap();
        for row in [row(None), row(Some("say \"no\""))] {
            rows.push(&row).unwrap();
        }
        rows.file.write_all(b"{\"world\":\"ho").unwrap();
        let mut again = Rows::open(dir.path()).unwrap();
        assert_eq!(again.rows, rows.rows);
        assert_eq!(again.done().count(), 1);
        again.push(&row(None)).unwrap();
        assert_eq!(Rows::read(dir.path()).unwrap().len(), 3);
    }

    #[test]
    fn a_csv_line_has_a_field_for_every_column() {
        let line = row(Some("a \"b\"")).csv();
        assert!(line.contains("\"zipf:rate=1,s=2\"") && line.ends_with("\"a \"\"b\"\"\""), "{line}");
        let commas = |line: &str| line.split(',').count();
        assert_eq!(commas(&row(None).csv()) - 1, Cell::AXES.len() + Row::COLUMNS.len());
        assert!((row(None).measured.unwrap().goodput() - 16_384_000.0).abs() < 1e-3);
    }
}
