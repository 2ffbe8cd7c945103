//! The test-bed: namespaces of its own, in which everything that is measured runs.
//!
//! The program starts itself anew under `unshare(1)`: as the first process of a process namespace, with its own
//! network, mounts and, if it is not root, users. What it starts ends with it, however it ends: the kernel kills the
//! processes of a namespace with the first one, and interfaces, queues and the files in `/run` go with the last.

mod link_spec;
mod namespace;
mod network;
mod others;
mod path;

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, fs, io, process, thread};

use nix::mount::{MsFlags, mount};
use nix::unistd::{Pid, Uid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Error;

pub use link_spec::LinkSpec;
pub use namespace::NetNs;
pub(crate) use network::BURST;
pub use network::{Buffers, Network};
pub use others::Others;
pub use path::PathFacts;

/// Set for the second start.
const INSIDE: &str = "XC_BENCH_BED";
/// How a program ends that was interrupted: 128 + SIGINT, whichever signal it was.
const INTERRUPTED: i32 = 130;

/// Makes this process the first one of a test-bed, by starting the program anew; returns when it is.
///
/// # Errors
/// When the kernel does not let this user have namespaces, or `unshare` is missing.
pub fn enter() -> Result<(), Error> {
    if env::var_os(INSIDE).is_none() {
        return Err(start_inside());
    }
    end_on_signals()?;
    let tmpfs = mount(Some("xc-bench"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>);
    tmpfs.map_err(|cause| Error::io("mount a tmpfs on /run", cause.into()))?;
    namespace::loopback_up()
}

/// Whether this process is in a bed.
#[must_use]
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some() && Pid::this() == Pid::from_raw(1)
}

/// Only returns when it fails.
fn start_inside() -> Error {
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(cause) => return Error::io("find this program", cause),
    };
    let mut unshare = Command::new("unshare");
    if !Uid::effective().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let cause = unshare.arg(program).args(env::args_os().skip(1)).env(INSIDE, "1").exec();
    Error::io("start unshare(1), which is in util-linux", cause)
}

/// The first process of a namespace has no default actions: without this, Ctrl-C would do nothing.
#[expect(clippy::exit, reason = "the kernel cleans up behind us, see above")]
fn end_on_signals() -> Result<(), Error> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let mut signals = signals.map_err(|cause| Error::io("listen for signals", cause))?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            process::exit(INTERRUPTED);
        }
    });
    Ok(())
}

/// Runs a system tool to its end; returns what it wrote.
pub(crate) fn tool(command: &mut Command) -> Result<String, Error> {
    let text = format!("{command:?}").replace('"', "");
    let output = command.output().map_err(|cause| Error::io(format!("run {text}"), cause))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Command { command: text, said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Writes a kernel setting of the calling thread's namespaces.
pub(crate) fn set_kernel(path: &str, value: &str) -> Result<(), Error> {
    fs::write(path, value).map_err(|cause| Error::io(format!("write '{value}' to {path}"), cause))
}

/// A thread that should not have ended by a panic.
pub(crate) fn panicked() -> io::Error {
    io::Error::other("a thread of the harness panicked")
}
