//! `xc-migrate-receive` as the shell command that `xc-migrate -s ''` runs.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tests::{World, binary};

/// How long a command may take to start.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// The receiver on that host.
pub(crate) fn receiver(there: &World, args: &str) -> String {
    let guests = there.path("guests");
    format!(
        "exec env XC_HOST_DIR='{}' XC_GUEST='{}' '{}' {args}",
        guests.display(),
        binary("xc-guest").display(),
        binary("xc-migrate-receive").display()
    )
}

/// A command that leaves its process number in a file.
pub(crate) fn noted(command: &str, file: &Path) -> String {
    format!("sh -c 'echo $$ > \"$0\"; eval \"$1\"' '{}' \"{}\"", file.display(), command.replace('"', "\\\""))
}

/// The process number in that file, once it is there; `None` when its command does not start.
pub(crate) fn process(file: &Path) -> Option<u32> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n').and_then(|number| number.parse().ok()) {
            return Some(pid);
        }
        thread::sleep(LOOK);
    }
    None
}
