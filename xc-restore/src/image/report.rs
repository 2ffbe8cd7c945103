//! What `xc-image` prints about a saved domain, for people.

use std::io::{self, Write};

use stream::image::{Libxc, Pages, RecordLine, Row, Summary};

/// Prints the whole summary.
pub(super) fn summary(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    headers(summary, out)?;
    rows(&summary.rows, out)?;
    pages(&summary.pages, out)?;
    end(summary, out)
}

/// One line of `verify -v`.
pub(super) fn record(line: &RecordLine, out: &mut dyn Write) -> io::Result<()> {
    let RecordLine { layer, offset, name, length } = line;
    writeln!(out, "{:<6} {offset:>12} {name:<24} {length:>10}", layer.short())
}

/// What `verify` says of a good file.
pub(super) fn verdict(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let records: u64 = summary.rows.iter().map(|row| row.count).sum();
    let total = summary.pages.total();
    write!(out, "good: {records} records, {total} page entries")?;
    match summary.trailing {
        0 => writeln!(out),
        bytes => writeln!(out, "; {bytes} bytes follow the end"),
    }
}

fn headers(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if let Some(xl) = &summary.xl {
        writeln!(out, "xl      {} bytes of configuration", xl.config.len())?;
    }
    if let Some(libxl) = summary.libxl {
        let origin = if libxl.legacy { ", converted from an older format" } else { "" };
        writeln!(out, "libxl   version 2{origin}")?;
    }
    if let Some(Libxc { version, header }) = summary.libxc {
        let (major, minor) = (header.xen_major, header.xen_minor);
        writeln!(out, "libxc   version {version}, {} guest, saved by Xen {major}.{minor}", header.kind)?;
    }
    Ok(())
}

fn rows(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{:<6} {:<24} {:>12} {:>8} {:>14}", "LAYER", "RECORD", "FIRST AT", "COUNT", "BYTES")?;
    for Row { layer, name, first_at, count, bytes } in rows {
        writeln!(out, "{:<6} {name:<24} {first_at:>12} {count:>8} {bytes:>14}", layer.short())?;
    }
    Ok(())
}

fn pages(pages: &Pages, out: &mut dyn Write) -> io::Result<()> {
    let Some(highest) = pages.highest() else {
        return Ok(());
    };
    writeln!(out, "\n{:<12} {:>10}", "PAGE TYPE", "ENTRIES")?;
    for (kind, count) in pages.types() {
        writeln!(out, "{kind:<12} {count:>10}")?;
    }
    write!(out, "\npages   {} entries, highest pfn {highest}", pages.total())?;
    match (pages.distinct(), pages.sent_again()) {
        (Some(distinct), Some(again)) => writeln!(out, ", {distinct} distinct, {again} sent again"),
        _ => writeln!(out, ", scattered too far to tell the distinct ones"),
    }
}

fn end(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let Some(end) = summary.end else {
        return Ok(());
    };
    writeln!(out, "end     at byte {end}, {} bytes follow", summary.trailing)?;
    match summary.warnings {
        0 => Ok(()),
        count => writeln!(out, "warning {count} reserved fields or paddings are not zero"),
    }
}
