//! How a command ends.

use std::process::ExitCode;

/// How a command ends; the same numbers for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It failed, and the guest is where it was before.
    Failed = 1,
    /// The command line or a setting is wrong; nothing was touched.
    Usage = 2,
    /// The stop policy, a limit or `xc-migrate cancel` gave up, and the guest runs on the source.
    GaveUp = 3,
    /// It is not known whether the guest runs on the target; the last line says what to do.
    Undecided = 4,
    /// The guest runs on the target, and something is left over on the source.
    LeftOver = 5,
    /// A signal came (128 + SIGINT, whichever signal it was), and the guest is where it was before.
    Interrupted = 130,
}

/// The exit codes as `--help` shows them.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed; the guest is where it was before
  2    wrong usage, or a wrong setting; nothing was touched
  3    the stop policy, a limit or `xc-migrate cancel` gave up; the guest runs on the source
  4    undecided: the last line says what to do
  5    the guest runs on the target, but something is left over on the source
  130  interrupted; the guest is where it was before
The last line on standard error says where the guest is now.";

impl Exit {
    /// How a run ends that was aborted for this reason: signals are named `SIG...`, all else is a limit or a
    /// cancellation.
    #[must_use]
    pub fn of_abort(reason: &str) -> Self {
        if reason.starts_with("SIG") { Self::Interrupted } else { Self::GaveUp }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
