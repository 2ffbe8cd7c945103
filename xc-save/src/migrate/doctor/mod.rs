//! `xc-migrate doctor`: what could keep a migration from working, each with a verdict and a remedy.

mod machine;
mod network;
mod xen;

use std::fmt::Write;

use crate::console::data;
use crate::exit::Exit;

/// What is thought of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Good,
    /// Not there, and not needed for all that works without.
    Absent,
    /// It works, but not as well as it could.
    Poor,
    /// It does not work.
    Bad,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Absent => "none",
            Self::Poor => "poor",
            Self::Bad => "BAD",
        }
    }
}

/// Something that was looked at.
#[derive(Clone, Debug)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do about it; empty where nothing needs to be done.
    remedy: &'static str,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, found: found.into(), remedy: "" }
    }

    fn new(what: &'static str, verdict: Verdict, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { what, verdict, found: found.into(), remedy }
    }
}

/// Looks at this machine, and at the way to that host. Fails when something is bad.
pub(super) fn run(host: Option<&str>) -> Exit {
    let mut findings = machine::look();
    findings.extend(xen::look());
    findings.extend(host.map(network::look).unwrap_or_default());
    findings.iter().for_each(|finding| data(text(finding)));
    if findings.iter().any(|finding| finding.verdict == Verdict::Bad) { Exit::Failed } else { Exit::Done }
}

fn text(finding: &Finding) -> String {
    let Finding { what, verdict, found, remedy } = finding;
    let mut text = format!("{:<5} {what:<16} {found}", verdict.word());
    if !remedy.is_empty() {
        // Writing to a String does not fail.
        let _ = write!(text, "\n      {:<16} -> {remedy}", "");
    }
    text
}
