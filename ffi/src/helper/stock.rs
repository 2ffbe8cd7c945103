//! Handing over to the helper that came with Xen.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use super::Error;

/// Where Debian's Xen 4.17 has its helper.
pub const STOCK_HELPER: &str = "/usr/lib/xen-4.17/bin/libxl-save-helper";
/// The environment variable that names another place.
pub const STOCK_HELPER_VARIABLE: &str = "XC_MIGRATE_STOCK_HELPER";

/// Becomes the stock helper, with the arguments behind this program's name; returns only when that fails.
///
/// It must be called before anything else: the descriptors and signals are to be as libxl left them.
#[must_use]
pub fn exec_stock(args: &[OsString]) -> Error {
    let path = PathBuf::from(env::var_os(STOCK_HELPER_VARIABLE).unwrap_or_else(|| STOCK_HELPER.into()));
    let cause = if is_this_program(&path) {
        io::Error::other("that is this program itself")
    } else {
        Command::new(&path).args(args).exec()
    };
    Error::Stock { path, cause }
}

/// Installed in the stock helper's place, this program would start itself for ever.
fn is_this_program(path: &Path) -> bool {
    let canonical = |path: &Path| fs::canonicalize(path).ok();
    canonical(path).is_some_and(|path| env::current_exe().ok().as_deref().and_then(canonical) == Some(path))
}
