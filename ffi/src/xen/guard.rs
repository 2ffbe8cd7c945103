//! Log-dirty off even when its owner is killed: a process that waits for its parent's death.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::domain::Domain;
use super::{Error, log_dirty};

/// How long a guard may take to clean up behind a process that was killed.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What the guard hears from a parent that ends by itself.
const ALL_WELL: &[u8] = b".";
/// The descriptors behind standard error are none of the guard's.
const FIRST_INHERITED: libc::c_uint = 3;

/// A process of its own that turns the domain's log-dirty off should this one die without dropping this.
///
/// There is one for a domain: whoever comes next waits until it is done, so it never takes away the log-dirty of
/// another of us.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Starts the program again, as `--guard DOMID`, which must call [`stand_guard`].
    ///
    /// # Errors
    /// When the process cannot be started, or another one of us saves the domain.
    pub fn start(domid: u32) -> Result<Self, Error> {
        let lock = lock(domid)?;
        let child = Command::new("/proc/self/exe")
            .args(["--guard", &domid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::from(OwnedFd::from(lock)))
            // What is typed to end the parent is not for it.
            .process_group(0)
            .spawn();
        child.map(Self).map_err(|cause| Error::Host { call: "starting the guard of log-dirty", cause })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A guard that is gone has nothing to hear.
        if let Some(mut input) = self.0.stdin.take() {
            let _ = input.write_all(ALL_WELL);
        }
        // It ends by itself, and whoever comes next waits for it: see `lock`.
    }
}

/// The guard's own work: waits for the parent's end.
///
/// # Errors
/// When the parent was killed and log-dirty could not be turned off.
pub fn stand_guard(domid: u32) -> Result<(), Error> {
    // Above all the stream: its reader would wait for an end that never comes.
    // SAFETY: this program opened nothing yet; what it inherited nobody uses.
    unsafe { libc::close_range(FIRST_INHERITED, libc::c_uint::MAX, 0) };
    let mut heard = Vec::new();
    let listened = io::stdin().read_to_end(&mut heard);
    listened.map_err(|cause| Error::Host { call: "waiting for the process that saves", cause })?;
    if heard == ALL_WELL {
        return Ok(());
    }
    log_dirty::turn_off(&Domain::open(domid)?)
}

/// A name that one process at a time can have, and its children as long as they keep the descriptor.
fn lock(domid: u32) -> Result<UnixListener, Error> {
    let failed = |cause| Error::Host { call: "taking the lock of a domain that is saved", cause };
    let name = SocketAddr::from_abstract_name(format!("xc-migrate/guard/{domid}")).map_err(failed)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixListener::bind_addr(&name) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(LOOK_EVERY);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(failed(io::Error::other("another process saves it")));
            }
            bound => return bound.map_err(failed),
        }
    }
}
