//! What Xen domains need.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::machine::in_path;
use super::{Finding, Verdict};

/// What libxl reads the path of its save helper from.
const HELPER: &str = "LIBXL_SAVE_HELPER";

pub(super) fn look() -> Vec<Finding> {
    const WHAT: &str = "Xen";
    if !Path::new("/proc/xen").exists() && !Path::new("/sys/hypervisor/type").exists() {
        return vec![Finding::new(
            WHAT,
            Verdict::Absent,
            "this machine runs without Xen; host:NAME guests and xc-image need none",
            "",
        )];
    }
    vec![domain(), privcmd(), xl(), helper()]
}

/// Only a control domain can save others.
fn domain() -> Finding {
    const WHAT: &str = "control domain";
    match fs::read_to_string("/proc/xen/capabilities") {
        Ok(text) if text.contains("control_d") => Finding::good(WHAT, "this is one"),
        Ok(_) => Finding::new(WHAT, Verdict::Bad, "this is a guest of Xen", "run it in dom0"),
        Err(error) => Finding::new(
            WHAT,
            Verdict::Bad,
            format!("/proc/xen/capabilities: {error}"),
            "mount xenfs on /proc/xen, in dom0",
        ),
    }
}

fn privcmd() -> Finding {
    const WHAT: &str = "privcmd";
    const DEVICE: &str = "/dev/xen/privcmd";
    match fs::File::options().read(true).write(true).open(DEVICE) {
        Ok(_) => Finding::good(WHAT, format!("{DEVICE} can be opened")),
        Err(error) => Finding::new(
            WHAT,
            Verdict::Bad,
            format!("{DEVICE}: {error}"),
            "be root, with the module xen-privcmd",
        ),
    }
}

fn xl() -> Finding {
    const WHAT: &str = "xl";
    if in_path(Path::new("xl")) {
        return Finding::good(WHAT, "is in PATH");
    }
    Finding::new(WHAT, Verdict::Bad, "is not in PATH", "install xen-utils, or add /usr/sbin to PATH")
}

/// Where `xl` of this same environment would find the save helper.
fn helper() -> Finding {
    const WHAT: &str = "save helper";
    let Some(path) = env::var_os(HELPER) else {
        return Finding::new(
            WHAT,
            Verdict::Poor,
            format!("{HELPER} is not set: xl uses its own helper"),
            "export it with the path of our libxl-save-helper, for xl and for xl migrate-receive",
        );
    };
    let name = path.to_string_lossy().into_owned();
    let runs = fs::metadata(&path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if runs {
        return Finding::good(WHAT, name);
    }
    Finding::new(WHAT, Verdict::Bad, format!("{HELPER}={name}: no program"), "correct the path")
}
