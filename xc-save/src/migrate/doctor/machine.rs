//! What guest processes of this machine need.

use std::fs;
use std::path::Path;

use ffi::host::{Host, probe_trackers};
use ffi::link::space_left;

use super::{Finding, Verdict};
use crate::console::chain;
use crate::settings::Values;

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;
/// Less is little room for any guest, or for its file.
const LITTLE: u64 = 256 * MIB;

pub(super) fn look() -> Vec<Finding> {
    let mut findings = trackers();
    findings.extend([directory(), program(), settings(), memory(), disk()]);
    findings
}

/// One that works is enough; the first is the better one.
fn trackers() -> Vec<Finding> {
    const WHAT: &str = "write tracking";
    let probes = probe_trackers();
    let works = probes.iter().any(|(_, result)| result.is_ok());
    let finding = |(kind, result): &(ffi::host::TrackerKind, Result<(), ffi::host::HostError>)| match result {
        Ok(()) => Finding::good(WHAT, format!("{} works on this kernel", kind.word())),
        Err(error) => Finding::new(
            WHAT,
            if works { Verdict::Absent } else { Verdict::Bad },
            format!("no {}: {}", kind.word(), chain(error)),
            if works { "" } else { "live migration of guest processes needs Linux 6.7 or newer" },
        ),
    };
    probes.iter().map(finding).collect()
}

fn directory() -> Finding {
    const WHAT: &str = "guests";
    let host = Host::from_env();
    let dir = host.dir().display();
    match host.list() {
        Ok(names) => Finding::good(WHAT, format!("{} in {dir}", names.len())),
        Err(error) => {
            Finding::new(WHAT, Verdict::Bad, chain(&error), "set XC_HOST_DIR to a directory of your own")
        }
    }
}

fn program() -> Finding {
    const WHAT: &str = "guest program";
    let host = Host::from_env();
    let program = host.program();
    let found = program.is_file() || in_path(program);
    let name = program.display().to_string();
    if found {
        Finding::good(WHAT, name)
    } else {
        Finding::new(
            WHAT,
            Verdict::Bad,
            format!("no {name}"),
            "install xc-guest, or set XC_GUEST to its path",
        )
    }
}

/// Whether a program without a directory is in `PATH`.
pub(super) fn in_path(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn settings() -> Finding {
    const WHAT: &str = "settings";
    match Values::load(Vec::new()) {
        Ok(_) => Finding::good(WHAT, "see `xc-migrate config`"),
        Err(error) => Finding::new(WHAT, Verdict::Bad, chain(&error), "correct it"),
    }
}

fn memory() -> Finding {
    const WHAT: &str = "memory";
    let Some(free) = available() else {
        return Finding::new(WHAT, Verdict::Poor, "/proc/meminfo does not say", "");
    };
    let found = format!("{} MiB available for guests that come here", free / MIB);
    if free < LITTLE {
        return Finding::new(WHAT, Verdict::Poor, found, "end something, or receive guests elsewhere");
    }
    Finding::good(WHAT, found)
}

fn available() -> Option<u64> {
    const KIB: u64 = 1 << 10;
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * KIB)
}

fn disk() -> Finding {
    const WHAT: &str = "disk";
    match space_left(Path::new(".")) {
        Ok(left) if left >= LITTLE => {
            Finding::good(WHAT, format!("{} MiB left here for saved guests", left / MIB))
        }
        Ok(left) => Finding::new(
            WHAT,
            Verdict::Poor,
            format!("only {} MiB left here for saved guests", left / MIB),
            "save to another disk",
        ),
        Err(error) => Finding::new(WHAT, Verdict::Poor, error.to_string(), "save to another disk"),
    }
}
