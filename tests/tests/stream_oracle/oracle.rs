//! `verify-stream-v2`, as Xen's package has it.

use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use stream::Layer;

/// A line of the oracle's table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Record { layer: Layer, name: &'static str, length: u32 },
    Pages(u64),
}

/// The script: where `XC_VERIFY_STREAM` says, or where `make deps` unpacks it.
fn script() -> PathBuf {
    let unpacked = "../.deps/xen-utils/usr/lib/xen-4.17/bin/verify-stream-v2";
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join(unpacked);
    let script = env::var_os("XC_VERIFY_STREAM").map_or_else(default, PathBuf::from);
    assert!(script.is_file(), "Xen's verify-stream-v2 is not at {}: run `make deps`", script.display());
    script
}

/// The records of a saved domain, as the oracle prints them.
pub(crate) fn table(file: &Path) -> Vec<Row> {
    let script = script();
    let output = Command::new("python3")
        .env("PYTHONPATH", script.with_file_name("../lib/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(&script)
        .args(["--format", "xl", "--verbose", "--in"])
        .arg(file)
        .output()
        .expect("python3 runs");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    if let Some(count) = line.strip_prefix("Squashed ") {
        return Some(Row::Pages(count.split_whitespace().next()?.parse().ok()?));
    }
    let (layer, names, record) =
        match (line.strip_prefix("Libxl Record: "), line.strip_prefix("Libxc Record: ")) {
            (Some(record), _) => (Layer::Libxl, &LIBXL[..], record),
            (_, Some(record)) => (Layer::Libxc, &LIBXC[..], record),
            _ => return None,
        };
    let (theirs, length) = record.split_once(", length ").unwrap();
    let (_, ours) = names.iter().find(|(name, _)| *name == theirs).unwrap_or_else(|| panic!("{line}"));
    Some(Row::Record { layer, name: ours, length: length.parse().unwrap() })
}

/// The oracle's names, and ours.
const LIBXL: [(&str, &str); 6] = [
    ("End", "END"),
    ("Libxc context", "LIBXC_CONTEXT"),
    ("Emulator xenstore data", "EMULATOR_XENSTORE_DATA"),
    ("Emulator context", "EMULATOR_CONTEXT"),
    ("Checkpoint end", "CHECKPOINT_END"),
    ("Checkpoint state", "CHECKPOINT_STATE"),
];
const LIBXC: [(&str, &str); 16] = [
    ("End", "END"),
    ("x86 PV info", "X86_PV_INFO"),
    ("x86 PV P2M frames", "X86_PV_P2M_FRAMES"),
    ("x86 PV vcpu basic", "X86_PV_VCPU_BASIC"),
    ("x86 PV vcpu extended", "X86_PV_VCPU_EXTENDED"),
    ("x86 PV vcpu xsave", "X86_PV_VCPU_XSAVE"),
    ("x86 PV vcpu msrs", "X86_PV_VCPU_MSRS"),
    ("Shared info", "SHARED_INFO"),
    ("TSC info", "X86_TSC_INFO"),
    ("HVM context", "HVM_CONTEXT"),
    ("HVM params", "HVM_PARAMS"),
    ("Verify", "VERIFY"),
    ("Checkpoint", "CHECKPOINT"),
    ("Static data end", "STATIC_DATA_END"),
    ("x86 CPUID policy", "X86_CPUID_POLICY"),
    ("x86 MSR policy", "X86_MSR_POLICY"),
];

/// The oracle's module in one process, for many streams.
pub(crate) struct Oracle {
    child: Child,
    streams: ChildStdin,
    answers: ChildStdout,
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("python3")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/verify_many.py"))
            .arg(script())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let (streams, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, streams, answers }
    }

    /// Whether the oracle accepts a stream.
    pub(crate) fn accepts(&mut self, stream: &[u8]) -> bool {
        self.streams.write_all(&u32::try_from(stream.len()).unwrap().to_be_bytes()).unwrap();
        self.streams.write_all(stream).unwrap();
        let mut answer = [0];
        self.answers.read_exact(&mut answer).expect("the oracle answers; its own error is above");
        answer == *b"a"
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
