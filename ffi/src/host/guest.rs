//! What a guest process needs of this crate: its birth, and its side of being tracked.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use nix::errno::Errno;

use super::error::os;
use super::protocol::TrackerKind;
use super::userfaultfd::WriteLog;
use super::{GuestMemory, HostError, P2m};

/// Makes this process a daemon in all but its standard streams: its own session, in the root directory, with no
/// descriptor of its parent's but standard input, output and error. A link or pipe that it inherited would else
/// stay open for as long as the guest lives.
///
/// # Errors
/// [`HostError::Os`]. Must be called before the process opens anything.
pub fn detach() -> Result<(), HostError> {
    nix::unistd::setsid().map_err(os("start a session"))?;
    nix::unistd::chdir("/").map_err(os("change to the root directory"))?;
    // SAFETY: called first in the process, as the contract says, so nothing in it owns a descriptor above 2.
    let answer = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    Errno::result(answer).map(drop).map_err(os("close inherited descriptors"))
}

/// The birth cord of an incoming guest: its standard input.
///
/// # Errors
/// [`HostError::Os`] when it is closed.
pub fn birth_cord() -> Result<UnixStream, HostError> {
    let fd: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().map_err(os("take standard input"))?;
    Ok(fd.into())
}

/// The memory and p2m that process `pid` made for this guest.
///
/// # Errors
/// When they cannot be opened, or do not fit a guest of `pages` pages.
pub fn adopt_memory(pid: u32, memory: i32, p2m: i32, pages: u64) -> Result<(GuestMemory, P2m), HostError> {
    Ok((GuestMemory::of_process(pid, memory, pages)?, P2m::of_process(pid, p2m, pages)?))
}

/// What an [`super::protocol::Attachment`] says of the memory: descriptors of memory and p2m, and the address.
#[must_use]
pub fn whereabouts(memory: &GuestMemory, p2m: &P2m) -> (i32, i32, u64) {
    (memory.descriptor(), p2m.descriptor(), memory.address())
}

/// The guest's side of write tracking; dropping it ends it.
#[derive(Debug)]
pub struct Tracking {
    kind: TrackerKind,
    memory: Arc<GuestMemory>,
    #[expect(dead_code, reason = "held for its Drop, which ends the protection")]
    log: Option<WriteLog>,
}

impl Tracking {
    /// From here on the kernel logs the writes to this memory.
    ///
    /// # Errors
    /// When this kernel cannot; then nothing is left on.
    pub fn start(kind: TrackerKind, memory: &Arc<GuestMemory>) -> Result<Self, HostError> {
        let log = match kind {
            TrackerKind::WpAsync => Some(WriteLog::start(memory)?),
            TrackerKind::SoftDirty => {
                // The kernel logs always, but a page that is swapped out loses its bit.
                memory.lock_on_fault(true)?;
                None
            }
        };
        Ok(Self { kind, memory: memory.clone(), log })
    }

    /// How it is tracked.
    #[must_use]
    pub fn kind(&self) -> TrackerKind {
        self.kind
    }
}

impl Drop for Tracking {
    fn drop(&mut self) {
        if self.kind == TrackerKind::SoftDirty {
            // Locked memory is a waste, not an error.
            let _ = self.memory.lock_on_fault(false);
        }
    }
}
