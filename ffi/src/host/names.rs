//! Where guests are found: a directory with one control socket a guest, `NAME.sock`.
//!
//! A guest's name is the name of its socket; renaming a guest is `rename(2)`, which never replaces another's
//! socket. A guest that is built from a stream is `NAME--incoming` until it may run, one that was handed over is
//! `NAME--migratedaway` until it is destroyed or taken back: xl's own names for these states.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};

use super::HostError;
use super::error::os;

/// The longest name a user may give, bytes.
const MAX_NAME: usize = 64;
/// What a guest's socket ends with.
const SUFFIX: &str = ".sock";
/// The longest path of a unix socket: `sun_path` without the final zero byte.
const MAX_SOCKET_PATH: usize = 107;

/// The name of a guest while it is built.
#[must_use]
pub fn incoming(name: &str) -> String {
    format!("{name}--incoming")
}

/// The name of a guest that was handed over.
#[must_use]
pub fn migrated_away(name: &str) -> String {
    format!("{name}--migratedaway")
}

/// Checks a name that a user or a stream gave.
///
/// # Errors
/// [`HostError::Name`].
pub fn check(name: &str) -> Result<(), HostError> {
    let fail = |reason| Err(HostError::Name { name: name.chars().take(MAX_NAME).collect(), reason });
    if name.is_empty() || name.len() > MAX_NAME {
        return fail("it must have 1 to 64 characters");
    }
    if name.starts_with(['.', '-']) {
        return fail("it must not start with '.' or '-'");
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return fail("only letters, digits, '.', '_' and '-' may be in it");
    }
    Ok(())
}

/// A place where guests run: the directory of their sockets, and the program that a guest is.
#[derive(Clone, Debug)]
pub struct Host {
    dir: PathBuf,
    program: PathBuf,
}

impl Host {
    /// A host of its own, for tests: guests in `dir`, run by `program`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, program: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        // A guest lives in the root directory, where a relative path would be another one.
        Self { dir: std::path::absolute(&dir).unwrap_or(dir), program: program.into() }
    }

    /// The host of this user: `XC_HOST_DIR`, else `$XDG_RUNTIME_DIR/xc-host`, for root `/run/xc-host`. The
    /// program is `XC_GUEST`, else `xc-guest` beside this executable, else `xc-guest` in `PATH`.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(default_dir(), default_program())
    }

    /// The directory of the sockets.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The program that runs a guest.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Opens a connection to a guest.
    pub(super) fn connect(&self, name: &str) -> Result<UnixStream, HostError> {
        match UnixStream::connect(self.socket(name)) {
            Ok(stream) => Ok(stream),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Err(HostError::NotRunning { name: name.to_owned(), dir: self.dir.clone() })
            }
            Err(e) => Err(os(format!("connect to guest {name}"))(e)),
        }
    }

    /// Whether a guest answers under this name.
    #[must_use]
    pub fn is_running(&self, name: &str) -> bool {
        UnixStream::connect(self.socket(name)).is_ok()
    }

    /// The names of all guests that answer, sorted; removes the sockets of dead ones.
    ///
    /// # Errors
    /// [`HostError::Os`] when the directory cannot be read. A missing directory is an empty one.
    pub fn list(&self) -> Result<Vec<String>, HostError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let entries = fs::read_dir(&self.dir).map_err(os(format!("read {}", self.dir.display())))?;
        let mut names: Vec<String> =
            entries.flatten().filter_map(|e| guest_of(&e.file_name())).filter(|n| self.sweep(n)).collect();
        names.sort();
        Ok(names)
    }

    /// Removes the socket of a guest that does not answer; returns whether it answers. Needs the lock.
    fn sweep(&self, name: &str) -> bool {
        let alive = self.is_running(name);
        if !alive {
            // Somebody else's leftover: if it cannot be removed, it still is not a guest.
            let _ = fs::remove_file(self.socket(name));
        }
        alive
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }

    /// Makes the directory, for this user only.
    fn make_dir(&self) -> Result<(), HostError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(os(format!("create {}", self.dir.display())))
    }

    /// Keeps others from sweeping or taking names meanwhile.
    fn lock(&self) -> Result<Flock<File>, HostError> {
        let path = self.dir.join("lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(os(format!("open {}", path.display())))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| os(format!("lock {}", path.display()))(e))
    }
}

fn default_dir() -> PathBuf {
    if let Some(dir) = env::var_os("XC_HOST_DIR") {
        return dir.into();
    }
    match env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if !nix::unistd::geteuid().is_root() => PathBuf::from(dir).join("xc-host"),
        _ => "/run/xc-host".into(),
    }
}

fn default_program() -> PathBuf {
    if let Some(program) = env::var_os("XC_GUEST") {
        return program.into();
    }
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("xc-guest")));
    beside.filter(|p| p.is_file()).unwrap_or_else(|| "xc-guest".into())
}

fn guest_of(file: &OsStr) -> Option<String> {
    file.to_str()?.strip_suffix(SUFFIX).map(str::to_owned)
}

/// The control socket that a guest listens on; removed when dropped.
#[derive(Debug)]
pub struct GuestSocket {
    host: Host,
    name: String,
}

impl GuestSocket {
    /// Takes a name and listens under it.
    ///
    /// # Errors
    /// [`HostError::Taken`], or [`HostError::Os`].
    pub fn bind(host: &Host, name: &str) -> Result<(Self, UnixListener), HostError> {
        host.make_dir()?;
        let _lock = host.lock()?;
        if host.sweep(name) {
            return Err(HostError::Taken(name.to_owned()));
        }
        let path = host.socket(name);
        let doing = format!("listen on {}", path.display());
        // The longest name it may get later must fit too, or the renamed guest cannot be reached.
        if host.socket(&migrated_away(name)).as_os_str().len() > MAX_SOCKET_PATH {
            let source = io::Error::other(format!("longer than {MAX_SOCKET_PATH} bytes"));
            return Err(HostError::Os { doing, source });
        }
        let listener = UnixListener::bind(&path).map_err(os(doing))?;
        Ok((Self { host: host.clone(), name: name.to_owned() }, listener))
    }

    /// The name it has now.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes another name; connections stay.
    ///
    /// # Errors
    /// [`HostError::Taken`]; the old name is kept then.
    pub fn rename(&mut self, name: &str) -> Result<(), HostError> {
        let _lock = self.host.lock()?;
        if self.host.sweep(name) {
            return Err(HostError::Taken(name.to_owned()));
        }
        let (from, to) = (self.host.socket(&self.name), self.host.socket(name));
        renameat2(AT_FDCWD, &from, AT_FDCWD, &to, RenameFlags::RENAME_NOREPLACE)
            .map_err(os(format!("rename guest {} to {name}", self.name)))?;
        name.clone_into(&mut self.name);
        Ok(())
    }
}

impl Drop for GuestSocket {
    fn drop(&mut self) {
        // A leftover is swept by the next `list`.
        let _ = fs::remove_file(self.host.socket(&self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_directory() {
        for good in ["web", "a", "a.b_c-d9", &"x".repeat(64)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "ü", "a\0", &"x".repeat(65)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dead_guests_name_is_free_and_a_live_ones_is_not() {
        let dir = env::temp_dir().join(format!("xc-names-{}", std::process::id()));
        let host = Host::new(&dir, "xc-guest");
        let (mut socket, listener) = GuestSocket::bind(&host, "a").unwrap();
        assert!(matches!(GuestSocket::bind(&host, "a"), Err(HostError::Taken(_))));
        let (_other, _listening) = GuestSocket::bind(&host, "b").unwrap();
        assert!(matches!(socket.rename("b"), Err(HostError::Taken(_))));
        socket.rename("c").unwrap();
        assert_eq!(host.list().unwrap(), ["b", "c"]);
        drop(listener);
        assert_eq!(host.list().unwrap(), ["b"]);
        fs::remove_dir_all(dir).unwrap();
    }
}
