//! All that `xc-guest` prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::time::Duration;

use engine::PAGE_SIZE;
use ffi::host::protocol::{GuestHash, GuestInfo};
use serde::Serialize;

use crate::args::Format;

pub(crate) fn error(chain: &str) {
    eprintln!("xc-guest: {chain}");
}

pub(crate) fn runs(name: &str) {
    println!("{name} runs");
}

pub(crate) fn hash(hash: &GuestHash) {
    println!("{} {}", hash.digest, hash.populated);
}

pub(crate) fn list(guests: &[GuestInfo], format: Format) {
    if format == Format::Json {
        return json(&guests);
    }
    println!("{:<24} {:>8} {:>10} {:>5} {:<10} WORKLOAD", "NAME", "PID", "MEMORY", "VCPUS", "STATUS");
    for g in guests {
        let (memory, status) = (size(g.pages), g.status.word());
        println!("{:<24} {:>8} {memory:>10} {:>5} {status:<10} {}", g.name, g.pid, g.vcpus, g.workload);
    }
}

pub(crate) fn info(g: &GuestInfo, format: Format) {
    if format == Format::Json {
        return json(g);
    }
    let gap = g.last_migration_gap_ns.map_or_else(|| "none".to_owned(), milliseconds);
    println!("name                {}", g.name);
    println!("status              {}", g.status.word());
    println!("pid                 {}", g.pid);
    println!("memory              {} ({} pages)", size(g.pages), g.pages);
    println!("populated           {} ({} pages)", size(g.populated), g.populated);
    println!("balloon target      {} ({} pages)", size(g.balloon_target), g.balloon_target);
    println!("vcpus               {}", g.vcpus);
    println!("workload            {}", g.workload);
    println!("writes              {}", g.writes);
    println!("rate                {:.0} pages/s", g.rate);
    println!("running time        {:.1?}", Duration::from_nanos(g.uptime_ns));
    println!("migrations          {}", g.migrations);
    println!("longest gap         {}", milliseconds(g.longest_gap_ns));
    println!("last migration gap  {gap}");
}

fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => println!("{text}"),
        Err(e) => error(&format!("cannot write JSON: {e}")),
    }
}

fn size(pages: u64) -> String {
    let kib = pages * (PAGE_SIZE as u64 / 1024);
    if kib.is_multiple_of(1024) { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") }
}

fn milliseconds(ns: u64) -> String {
    format!("{:.1} ms", Duration::from_nanos(ns).as_secs_f64() * 1e3)
}
