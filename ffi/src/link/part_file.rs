//! A file that is there whole or not at all.
//!
//! The bytes go to `.NAME.xc-save-PID.part` beside NAME, which replaces NAME only when it is complete and on
//! the disk. A writer that was killed leaves its part file behind; the next save to the same NAME removes it.
//! Whether a writer still lives is told by the lock it holds, which, unlike its PID, is never used again.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Saved memory holds secrets: for its owner only.
const MODE: u32 = 0o600;

/// An unfinished file; dropping it removes it.
#[derive(Debug)]
pub(super) struct PartFile {
    /// Locked while it is being written.
    file: File,
    part: PathBuf,
    target: PathBuf,
}

impl PartFile {
    /// Starts the file that is to become `path`. Where `path` is a symbolic link, what it points to is replaced.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let start = part_name_start(name);
        remove_leftovers(directory_of(&target), &start);

        let mut part_name = start;
        part_name.push(format!("{}.part", std::process::id()));
        let part = target.with_file_name(part_name);
        let file = create_locked(&part)?;
        Ok(Self { file, part, target })
    }

    /// A second descriptor of the file.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Replaces the target. Afterwards it survives a crash of the machine.
    pub(super) fn commit(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.target)?;
        File::open(directory_of(&self.target))?.sync_all()
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After a commit it has another name and this finds nothing.
        let _ = fs::remove_file(&self.part);
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn part_name_start(name: &OsStr) -> OsString {
    let mut start = OsString::from(".");
    start.push(name);
    start.push(".xc-save-");
    start
}

/// Creates the file and takes its lock; again when a cleaner got hold of it in between.
fn create_locked(part: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(part)?;
        // A file system without locks has no cleaners either: they fail to take the lock.
        lock(&file, libc::LOCK_EX);
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

fn lock(file: &File, operation: libc::c_int) -> bool {
    // SAFETY: the descriptor is open, and flock touches no memory.
    unsafe { libc::flock(file.as_raw_fd(), operation) == 0 }
}

/// Leftovers are a nuisance and no reason to fail: what cannot be removed stays.
fn remove_leftovers(directory: &Path, start: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|e| is_part_name(&e.file_name(), start)) {
        if is_abandoned(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_part_name(name: &OsStr, start: &OsStr) -> bool {
    let pid = name.as_bytes().strip_prefix(start.as_bytes()).and_then(|rest| rest.strip_suffix(b".part"));
    pid.is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit))
}

fn is_abandoned(part: &Path) -> bool {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().write(true).custom_flags(flags).open(part);
    opened.is_ok_and(|file| lock(&file, libc::LOCK_EX | libc::LOCK_NB))
}
