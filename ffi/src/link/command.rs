//! A shell command as the other end: `ssh HOST xc-migrate-receive`, as `xl migrate` has it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a command may take to end by itself once its link is closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A running shell command; dropping it ends it.
///
/// It hears no signal from the terminal: a Ctrl-C is for us, who then close the link in order. One that ended
/// `ssh` in the middle of a hand-over would leave the guest undecided.
#[derive(Debug)]
pub(super) struct Running(Child);

/// Starts `sh -c COMMAND`; returns it with our ends of its standard input and output.
pub(super) fn start(command: &str) -> io::Result<(Running, OwnedFd, OwnedFd)> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("trap '' INT QUIT HUP; {command}"))
        .arg0("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take().map(ChildStdin::into);
    let output = child.stdout.take().map(ChildStdout::into);
    let running = Running(child);
    let (Some(input), Some(output)) = (input, output) else { return Err(io::ErrorKind::BrokenPipe.into()) };
    Ok((running, input, output))
}

impl Running {
    /// A link that ended, with what the command says about it.
    pub(super) fn explain(&mut self, error: io::Error) -> io::Error {
        if !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) {
            return error;
        }
        match self.wait() {
            Some(status) => io::Error::new(error.kind(), format!("the command ended: {status}")),
            None => error,
        }
    }

    /// Its end, if that comes soon.
    fn wait(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + FAREWELL;
        loop {
            match self.0.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.wait().is_some() {
            return;
        }
        if let Ok(pid) = i32::try_from(self.0.id()) {
            // Not yet waited for, so the number is still its own; if the signal cannot be sent, it is not ours to
            // end (it may be another user's by now).
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.wait();
    }
}
