//! Streams that are truncated, changed, reordered and oversized: a clear error, exit code 1, little memory, nothing left.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tests::{Running, World};

/// Nothing may take longer; the longest that was seen is printed.
const AT_MOST: Duration = Duration::from_secs(10);
/// What a restore may take beside the guest, KiB.
const ALLOWED: u64 = 64 << 10;
/// The saved guest, KiB.
const GUEST: u64 = 4 << 10;
/// Byte of the file at which the libxl header starts is found by its magic; the libxc one 24 bytes later.
const LIBXL_MAGIC: &[u8] = b"LibxlFmt";
const LIBXC_HEADERS: usize = 40;

struct Saved {
    world: World,
    bytes: Vec<u8>,
    /// Where the libxc stream starts.
    libxc: usize,
}

fn saved() -> Saved {
    let world = World::new();
    world.start_guest("web", "4M", "pagemod:rate=1000");
    let file = world.path("good.img");
    world.run("xc-save", ["host:web", file.to_str().unwrap()]).expect(0);
    let bytes = fs::read(&file).unwrap();
    let libxl = bytes.windows(LIBXL_MAGIC.len()).position(|window| window == LIBXL_MAGIC).unwrap();
    Saved { world, bytes, libxc: libxl + 16 + 8 }
}

impl Saved {
    /// Restores `bytes`, which must fail; returns what was said.
    #[expect(clippy::print_stdout, reason = "the figures, for --nocapture")]
    fn refuse(&self, what: &str, bytes: &[u8]) -> String {
        let (file, peak) = (self.world.path("bad.img"), self.world.path("peak"));
        fs::write(&file, bytes).unwrap();
        let timed = ["/usr/bin/time", "-q", "-f", "%M", "-o", peak.to_str().unwrap()];
        let mut restore = self.world.command_under(&timed, "xc-restore");
        let started = Instant::now();
        let finished = Running::start(restore.arg(&file)).finish();
        let took = started.elapsed();
        assert_eq!(finished.code(), Some(1), "{what}: {finished:#?}");
        assert!(!finished.stderr.contains("panicked"), "{what}: {finished:#?}");
        assert!(
            finished.last_line().starts_with("nothing of the guest is left here"),
            "{what}: {finished:#?}"
        );
        assert!(took < AT_MOST, "{what}: took {took:?}");
        assert!(peak_kib(&peak) < GUEST + ALLOWED, "{what}: {} KiB", peak_kib(&peak));
        assert!(self.world.processes().is_empty(), "{what}: a guest is left");
        println!(
            "{what}: {took:?}, {} KiB: {}",
            peak_kib(&peak),
            finished.stderr.lines().next().unwrap_or_default()
        );
        finished.stderr
    }

    /// The records of the libxc stream: where each starts, and its bytes.
    fn records(&self) -> Vec<std::ops::Range<usize>> {
        let mut at = self.libxc + LIBXC_HEADERS;
        let mut records = Vec::new();
        loop {
            let word = |from: usize| u32::from_le_bytes(self.bytes[from..from + 4].try_into().unwrap());
            let end = at + 8 + (word(at + 4) as usize).next_multiple_of(8);
            records.push(at..end);
            if word(at) == 0 {
                return records;
            }
            at = end;
        }
    }
}

fn peak_kib(file: &PathBuf) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    text.lines().last().unwrap().trim().parse().unwrap()
}

#[test]
fn truncated_streams_are_refused() {
    let saved = saved();
    let length = saved.bytes.len();
    for part in 0..20 {
        let cut = length * part / 20;
        let said = saved.refuse(&format!("cut at {cut}"), &saved.bytes[..cut]);
        assert!(said.contains("the stream ends after"), "{said}");
    }
    saved.refuse("cut before the last byte", &saved.bytes[..length - 1]);
}

#[test]
fn changed_headers_are_refused() {
    let saved = saved();
    for at in [
        0,
        33,
        36,
        44,
        saved.libxc - 24,
        saved.libxc - 13,
        saved.libxc - 8,
        saved.libxc,
        saved.libxc + 9,
        saved.libxc + 15,
        saved.libxc + 24,
        saved.libxc + 28,
    ] {
        let mut bytes = saved.bytes.clone();
        bytes[at] ^= 0x40;
        saved.refuse(&format!("bit 6 of byte {at}"), &bytes);
    }
}

#[test]
fn changed_record_heads_are_refused() {
    let saved = saved();
    for record in saved.records() {
        for (at, bit) in [(0, 0x40), (3, 0x01), (4, 0x08), (6, 0x10), (7, 0x80)] {
            let mut bytes = saved.bytes.clone();
            bytes[record.start + at] ^= bit;
            saved.refuse(&format!("byte {at} of the record at {}", record.start), &bytes);
        }
    }
}

#[test]
fn records_out_of_order_are_refused() {
    let saved = saved();
    let records = saved.records();
    for pair in records.windows(2) {
        let (first, second) = (pair[0].clone(), pair[1].clone());
        if may_move(&saved, &first) && may_move(&saved, &second) {
            continue;
        }
        let mut bytes = saved.bytes[..first.start].to_vec();
        bytes.extend_from_slice(&saved.bytes[second.clone()]);
        bytes.extend_from_slice(&saved.bytes[first.clone()]);
        bytes.extend_from_slice(&saved.bytes[second.end..]);
        saved.refuse(&format!("swapped the records at {} and {}", first.start, second.start), &bytes);
    }
}

/// Pages (1), TSC_INFO (8) and HVM_CONTEXT (9) may come in any order among themselves.
fn may_move(saved: &Saved, record: &std::ops::Range<usize>) -> bool {
    matches!(saved.bytes[record.start], 1 | 8 | 9)
}

#[test]
fn missing_records_are_refused() {
    let saved = saved();
    for record in saved.records() {
        if saved.bytes[record.start] == 1 {
            // Pages may be missing: then they are holes.
            continue;
        }
        let bytes = [&saved.bytes[..record.start], &saved.bytes[record.end..]].concat();
        saved.refuse(&format!("without the record at {}", record.start), &bytes);
    }
}

#[test]
fn claims_of_more_than_there_is_are_refused() {
    let saved = saved();
    let first_pages =
        saved.records().into_iter().find(|record| saved.bytes[record.start] == 1).unwrap().start;
    for (what, at, value) in [
        ("a record of 128 MiB", first_pages + 4, 128_u32 << 20),
        ("a record of 4 GiB", first_pages + 4, u32::MAX),
        ("4 G pages in a record", first_pages + 8, u32::MAX),
        ("no pages in a record", first_pages + 8, 0),
        ("a page beyond the guest", first_pages + 16, 1 << 20),
        ("a configuration of 4 GiB", 48, u32::MAX),
    ] {
        let mut bytes = saved.bytes.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        saved.refuse(what, &bytes);
    }
}

#[test]
fn a_guest_that_cannot_be_is_refused() {
    let saved = saved();
    for (what, from, to) in [
        ("too much memory", r#""pages":1024"#, r#""pages":9999999999999"#),
        ("no memory", r#""pages":1024"#, r#""pages":0   "#),
        ("an evil name", r#""name":"web""#, r#""name":"../""#),
        ("an unknown workload", "pagemod", "mining!"),
    ] {
        let text = String::from_utf8_lossy(&saved.bytes[52..saved.libxc - 25]).into_owned();
        assert!(text.contains(from), "{text}");
        let config = text.replace(from, to);
        let mut bytes = saved.bytes[..44].to_vec();
        let length = u32::try_from(config.len()).unwrap() + 1;
        bytes.extend_from_slice(&(length + 4).to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(config.as_bytes());
        bytes.extend_from_slice(&saved.bytes[saved.libxc - 25..]);
        saved.refuse(what, &bytes);
    }
}

#[test]
fn a_real_xen_guest_is_named_as_what_it_is() {
    let saved = saved();
    let mut bytes = saved.bytes[..44].to_vec();
    let config = b"{\"c_info\": {\"type\": \"pvh\"}}\0";
    let length = u32::try_from(config.len()).unwrap();
    bytes.extend_from_slice(&(length + 4).to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(config);
    let said = saved.refuse("a Xen guest", &bytes);
    assert!(said.contains("not that of a guest process"), "{said}");
}
