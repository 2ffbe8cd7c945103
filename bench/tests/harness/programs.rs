//! The programs under test.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// `xc-bench`, with `xc-save` and `xc-restore` beside it.
pub(crate) fn xc_bench() -> Command {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(build);
    Command::new(env!("CARGO_BIN_EXE_xc-bench"))
}

/// `cargo test` builds no binaries of other members.
fn build() {
    let folder = Path::new(env!("CARGO_BIN_EXE_xc-bench")).parent().expect("a binary is in a folder");
    let target = folder.parent().expect("a profile's folder is in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "-p", "xc-save", "-p", "xc-restore", "--bins", "--target-dir"])
        .arg(target);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "the binaries do not build");
}
