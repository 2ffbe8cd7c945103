//! Network namespaces without names: each lives as long as somebody has it open, or runs in it.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::Error;
use crate::bed::{panicked, tool};

/// The namespace of the thread that opens it.
const MINE: &str = "/proc/thread-self/ns/net";

/// A network namespace.
#[derive(Debug)]
pub struct NetNs(File);

impl NetNs {
    /// The one that this thread is in.
    ///
    /// # Errors
    /// When `/proc` is missing.
    pub fn of_this_thread() -> Result<Self, Error> {
        File::open(MINE).map(Self).map_err(|cause| Error::io(format!("open {MINE}"), cause))
    }

    /// A new one, with nothing in it but its loopback, which is up.
    ///
    /// # Errors
    /// When the kernel does not let this process have one.
    pub fn new() -> Result<Self, Error> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|cause| Error::io("make a network namespace", cause.into()))?;
            loopback_up()?;
            Self::of_this_thread()
        });
        made.join().map_err(|_| Error::io("make a network namespace", panicked()))?
    }

    /// Does something in the namespace; processes that are started there stay in it.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or what `f` returns.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
        thread::scope(|scope| {
            // On a thread of its own, so that nobody has to find the way back.
            let work = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET)
                    .map_err(|cause| Error::io("enter a network namespace", cause.into()))?;
                f()
            });
            work.join().map_err(|_| Error::io("work in a network namespace", panicked()))?
        })
    }

    /// A path by which other processes can open it while this value lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Switches the loopback of this thread's namespace on.
pub(super) fn loopback_up() -> Result<(), Error> {
    tool(Command::new("ip").args(["link", "set", "dev", "lo", "up"])).map(drop)
}
