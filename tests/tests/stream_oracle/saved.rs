//! The saved domains that the tests read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// A saved domain.
pub(crate) struct Saved {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Those in `tests/data`, and those in the folder that `XC_STREAMS` names.
pub(crate) fn all() -> Vec<Saved> {
    let mut files = files(&folder().join("data"));
    assert!(!files.is_empty(), "tests/data is empty");
    if let Some(more) = std::env::var_os("XC_STREAMS") {
        files.extend(self::files(Path::new(&more)));
    }
    files.iter().map(|file| load(file)).collect()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file() && file.extension().is_none_or(|extension| extension != "md"));
    files.sort();
    files
}

fn load(file: &Path) -> Saved {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let packed = fs::read(file).unwrap();
    let bytes = match file.extension() {
        Some(extension) if extension == "xz" => filter(Command::new("xz").arg("-dc"), &packed),
        _ => packed,
    };
    Saved { name, bytes }
}

/// The saved domain with a few pages only.
pub(crate) fn trimmed(bytes: &[u8]) -> Vec<u8> {
    filter(&mut Command::new(folder().join("oracle/trim_stream.py")), bytes)
}

/// The saved domain as a file.
pub(crate) fn unpacked(name: &str, bytes: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, bytes).unwrap();
    file
}

/// What the command makes of these bytes.
fn filter(command: &mut Command, bytes: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}; run `make deps`"));
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{command:?} failed");
        done.stdout
    })
}
