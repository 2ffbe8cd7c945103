//! A running `xl`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::transport::DOOR_FD;
use super::{Error, Xl};

/// The descriptor on which the save helper finds us, in the environment of `xl` as [`FRONT`].
const FRONT_FD: RawFd = 8;
/// The variable that tells the save helper the number of the descriptor on which the command that started `xl` hears
/// it.
pub const FRONT: &str = "XC_MIGRATE_FRONT";
/// What libxl reads the path of its save helper from.
const HELPER: &str = "LIBXL_SAVE_HELPER";
/// How often a running `xl` is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Lines of `xl` that are repeated when it fails.
const LAST_LINES: usize = 4;

/// A running `xl`. Dropping it hangs up, and leaves it to end by itself.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    front: UnixStream,
    /// What it says, unless it says that to standard error.
    said: Option<File>,
}

/// Without signals from the terminal: a Ctrl-C is for us, who then end it in order.
pub(super) fn command(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(r#"trap '' INT QUIT HUP; exec "$0" "$@""#).arg(program).args(args);
    command.stdin(Stdio::null());
    command
}

/// For messages: `xl save`.
pub(super) fn name(args: &[OsString]) -> String {
    let verb = args.iter().find(|arg| !arg.as_encoded_bytes().starts_with(b"-"));
    format!("xl {}", verb.map_or(OsStr::new(""), OsString::as_os_str).display())
}

impl Process {
    /// Starts `xl` with these arguments; its save helper gets `environment` too.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn start(
        xl: &Xl,
        args: &[OsString],
        environment: &[(String, String)],
        ends: Ends<'_>,
    ) -> Result<Self, Error> {
        let start = |source| Error::Start { program: xl.program.clone(), source };
        let (front, helpers) = UnixStream::pair().map_err(start)?;
        let said = if xl.loud { None } else { Some(memory_file().map_err(start)?) };
        // Standard output is for data: what xl says there is for people too.
        let log = || match &said {
            Some(file) => file.try_clone().map(Stdio::from),
            None => io::stderr().as_fd().try_clone_to_owned().map(Stdio::from),
        };
        let mut command = command(&xl.program, args);
        command.env(HELPER, &xl.helper).env(FRONT, FRONT_FD.to_string());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(ends.input.map_or_else(Stdio::null, Stdio::from));
        command.stdout(ends.output.map_or_else(log, |fd| Ok(fd.into())).map_err(start)?);
        command.stderr(log().map_err(start)?);
        pass(&mut command, helpers.as_fd(), FRONT_FD).map_err(start)?;
        if let Some((fd, number)) = ends.inherited {
            pass(&mut command, fd, number).map_err(start)?;
        }
        let child = command.spawn().map_err(start)?;
        Ok(Self { child, name: name(args), front, said })
    }

    /// What the save helper says, and what it hears.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn front(&self) -> io::Result<UnixStream> {
        self.front.try_clone()
    }

    /// Tells the save helper to give up. When it has ended already, this changes nothing.
    pub fn hang_up(&self) {
        // Half closed already is as good.
        let _ = self.front.shutdown(Shutdown::Write);
    }

    /// Waits for its end; `meanwhile` is called now and then.
    ///
    /// # Errors
    /// [`Error::Failed`] with the last that it said.
    pub fn wait(&mut self, mut meanwhile: impl FnMut(&Self)) -> Result<(), Error> {
        let status = loop {
            let ended = self.child.try_wait();
            match ended.map_err(|source| Error::Start { program: (&self.name).into(), source })? {
                Some(status) => break status,
                None => meanwhile(self),
            }
            thread::sleep(LOOK);
        };
        // Whoever else got the descriptor, a device model perhaps, keeps no listener waiting.
        let _ = self.front.shutdown(Shutdown::Both);
        self.outcome(status)
    }

    fn outcome(&mut self, status: ExitStatus) -> Result<(), Error> {
        if status.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        if let Some(file) = &mut self.said {
            // What cannot be read was not said.
            let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut said));
        }
        Err(Error::Failed { name: self.name.clone(), status, said: last_words(&said) })
    }
}

/// What `xl` reads from and writes to, where that is not nothing and its log.
#[derive(Debug, Default)]
pub struct Ends<'a> {
    /// Its standard input.
    pub input: Option<OwnedFd>,
    /// Its standard output.
    pub output: Option<OwnedFd>,
    /// One more descriptor, and the number by which it knows it.
    pub inherited: Option<(BorrowedFd<'a>, RawFd)>,
}

fn memory_file() -> io::Result<File> {
    Ok(memfd_create(c"xl", MFdFlags::MFD_CLOEXEC)?.into())
}

/// The last lines that are no progress, as one.
pub(super) fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("xc: progress") && !line.starts_with("xc: info"))
        .collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
}

/// Gives a descriptor to the program under this number.
fn pass(command: &mut Command, fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // Out of the way of the numbers that programs get.
    let source = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(DOOR_FD + 1))?;
    // SAFETY: the number is new and nobody else's.
    let source = unsafe { OwnedFd::from_raw_fd(source) };
    let give = move || {
        // SAFETY: dup2 is async-signal-safe and touches no memory; what it replaces is the child's own copy.
        let done = unsafe { libc::dup2(source.as_raw_fd(), number) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between fork and exec the closure only calls dup2 and reads errno.
    unsafe { command.pre_exec(give) };
    Ok(())
}
