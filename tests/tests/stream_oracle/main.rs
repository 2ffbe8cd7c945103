//! Our reading of a stream against that of Xen's own `verify-stream-v2`.
//!
//! Real saved domains must be read the same, record by record. Damaged ones must not be accepted by us and refused
//! by it; the other way round is allowed, for it knows neither order nor values.
#![cfg(test)]

mod handmade;
mod mutate;
mod oracle;
mod saved;

use std::fs;

use mutate::{Mutator, Split};
use oracle::{Oracle, Row, table};
use saved::Saved;
use stream::image::{RecordLine, Summary};
use stream::libxc::Limits;
use stream::{Input, Layer};

/// Damaged streams that are compared.
const MUTANTS: u64 = 10_000;

/// Reads strictly; every record on the way.
fn read(bytes: &[u8]) -> (Summary, Vec<RecordLine>) {
    let mut lines = Vec::new();
    let summary = Summary::read_with(Input::strict(bytes), Limits::default(), |line| lines.push(*line));
    (summary, lines)
}

/// Our table in the form of the oracle's, which shows neighbouring `PAGE_DATA` records as one number.
fn our_table(lines: &[RecordLine]) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in lines {
        match (rows.last_mut(), line.name) {
            (Some(Row::Pages(count)), "PAGE_DATA") => *count += 1,
            (_, "PAGE_DATA") => rows.push(Row::Pages(1)),
            (_, name) => rows.push(Row::Record { layer: line.layer, name, length: line.length }),
        }
    }
    rows
}

#[test]
fn real_streams_are_read_as_xen_reads_them() {
    for Saved { name, bytes } in saved::all() {
        let (summary, lines) = read(&bytes);
        assert!(summary.error.is_none(), "{name}: {:?}", summary.error);
        assert_eq!((Some(bytes.len() as u64), 0), (summary.end, summary.trailing), "{name}");

        let file = saved::unpacked(&name, &bytes);
        assert_eq!(table(&file), our_table(&lines), "{name}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn whatever_we_accept_of_a_damaged_stream_xen_accepts() {
    let real = saved::all().into_iter().map(|saved| saved::trimmed(&saved.bytes));
    let originals: Vec<_> = real.chain(handmade::all()).map(|bytes| Split::new(&bytes)).collect();
    let mut oracle = Oracle::start();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..MUTANTS {
        let mut mutator = Mutator::new(seed);
        let mutant = mutator.mutate(&originals);
        let (summary, _) = read(&mutant);
        if summary.error.is_some() {
            refused += 1;
            continue;
        }
        accepted += 1;
        assert!(oracle.accepts(&mutant), "seed {seed}: {mutator:?}");
    }
    // Both happen often, or the comparison says nothing.
    assert!(accepted > MUTANTS / 20 && refused > MUTANTS / 5, "{accepted} accepted, {refused} refused");
}

#[test]
fn the_oracle_refuses_what_is_bad() {
    let mut oracle = Oracle::start();
    let good = saved::trimmed(&saved::all()[0].bytes);
    assert!(oracle.accepts(&good));
    assert!(!oracle.accepts(&good[..good.len() - 1]));
    let (_, lines) = read(&good);
    let tsc = lines.iter().find(|line| line.layer == Layer::Libxc && line.name == "X86_TSC_INFO").unwrap();
    let mut reserved = good.clone();
    reserved[usize::try_from(tsc.offset).unwrap() + 8 + 20] = 1;
    assert!(!oracle.accepts(&reserved));
    assert!(read(&reserved).0.error.is_some());
}
