//! What Xen domains need.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::machine::in_path;
use super::{Finding, Verdict};
use crate::console::chain;
use crate::settings::{Settings, Values};
use crate::xen::without;

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
    let mut findings = vec![domain(), privcmd()];
    // What is wrong with the settings is said elsewhere.
    if let Ok(values) = Values::load(Vec::new()) {
        let settings = Settings::from(&values);
        findings.extend([xl(&settings), ours(&settings)]);
        findings.extend(log_dirty(&settings));
    }
    findings.push(of_xl());
    findings
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

fn xl(settings: &Settings) -> Finding {
    const WHAT: &str = "xl";
    if in_path(&settings.xl) {
        return Finding::good(WHAT, format!("{} is there", settings.xl.display()));
    }
    let found = format!("{} is not in PATH", settings.xl.display());
    Finding::new(WHAT, Verdict::Bad, found, "install xen-utils, or add /usr/sbin to PATH")
}

/// The hypervisor keeps the log of what a guest writes with the one or the other kind of paging.
fn log_dirty(settings: &Settings) -> Vec<Finding> {
    let capabilities = match without(&settings.xl).capabilities() {
        Ok(capabilities) => capabilities,
        Err(error) => return vec![Finding::new("log-dirty", Verdict::Bad, chain(&error), "see `xl info`")],
    };
    let has = |word: &str| capabilities.iter().any(|capability| capability == word);
    let pv = if has("shadow") {
        Finding::good("log-dirty PV", "PV guests can be moved while they run")
    } else {
        let found = "the hypervisor has no shadow paging: PV guests can be moved only while they stand still";
        Finding::new("log-dirty PV", Verdict::Poor, found, "a hypervisor built with CONFIG_SHADOW_PAGING=y")
    };
    let pvh = if has("hap") || (has("hvm") && has("shadow")) {
        Finding::good("log-dirty PVH", "PVH guests can be moved while they run")
    } else {
        Finding::new("log-dirty PVH", Verdict::Absent, "this machine runs no PVH guests", "")
    };
    vec![pv, pvh]
}

/// What our own commands give to `xl`, and whether it understands this hypervisor.
fn ours(settings: &Settings) -> Finding {
    const WHAT: &str = "our helper";
    let helper = match crate::xen::xl(&settings.xl, settings.helper.as_deref()) {
        Ok(xl) => xl.helper,
        Err(error) => return Finding::new(WHAT, Verdict::Bad, error.to_string(), "see docs/xen.md"),
    };
    let name = helper.display();
    match Command::new(&helper).arg("--check").output() {
        Ok(output) if output.status.success() => {
            Finding::good(WHAT, format!("{name} works on {}", String::from_utf8_lossy(&output.stdout).trim()))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Finding::new(WHAT, Verdict::Bad, format!("{name}: {said}"), "use a package built for this Xen")
        }
        Err(error) => Finding::new(WHAT, Verdict::Bad, format!("{name}: {error}"), "correct the path"),
    }
}

/// What `xl` of this same environment would start.
fn of_xl() -> Finding {
    const WHAT: &str = "helper of xl";
    let Some(path) = env::var_os(HELPER) else {
        return Finding::new(
            WHAT,
            Verdict::Poor,
            format!("{HELPER} is not set: xl by itself uses its own helper; our commands use ours"),
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
