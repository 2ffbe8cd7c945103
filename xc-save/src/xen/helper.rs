//! Where our save helper is.

use std::env;
use std::path::{Path, PathBuf};

use ffi::xl::Xl;

/// Its name.
const NAME: &str = "libxl-save-helper";
/// Where it is installed, seen from the directory of the commands.
const INSTALLED: &str = "../libexec/xc";

/// There is no save helper.
#[derive(Debug, thiserror::Error)]
#[error(
    "a Xen domain needs the save helper {}, which is missing; the setting `helper` says where it is (a guest process of \
     this machine is host:NAME)",
    .0.display()
)]
pub struct NoHelper(PathBuf);

/// `xl` with our save helper in it: the one of the settings, else the installed one, else the one beside this command.
///
/// # Errors
/// When there is no helper: stock `xl` would use its own.
pub fn xl(program: &Path, helper: Option<&Path>) -> Result<Xl, NoHelper> {
    let commands = env::current_exe().ok().and_then(|command| Some(command.parent()?.to_owned()));
    let commands = commands.unwrap_or_default();
    let installed = commands.join(INSTALLED).join(NAME);
    let helper = match helper {
        Some(path) => path.to_owned(),
        None if installed.is_file() => installed,
        None => commands.join(NAME),
    };
    if !helper.is_file() {
        return Err(NoHelper(helper));
    }
    Ok(Xl { helper, ..without(program) })
}

/// `xl` for what moves no memory.
pub(crate) fn without(program: &Path) -> Xl {
    let loud = tracing::enabled!(tracing::Level::INFO);
    Xl { program: program.to_owned(), helper: PathBuf::new(), loud }
}
