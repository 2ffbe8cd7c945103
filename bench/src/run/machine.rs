//! What a run ran on.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::bed::tool;

/// A machine, as far as it matters for a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that may be used.
    pub processors: usize,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// The hypervisor that it is a guest of, if it is one and says so.
    pub hypervisor: String,
    /// The kernel's release.
    pub kernel: String,
    /// Whether memory comes in huge pages by itself.
    pub transparent_huge_pages: String,
    /// How TCP avoids congestion.
    pub tcp: String,
    /// The one-minute load average at the start: how quiet it was.
    pub load: String,
    /// This program's version.
    pub version: String,
    /// QEMU's version, if it is there.
    pub qemu: String,
}

impl Machine {
    /// The machine that this runs on.
    #[must_use]
    pub fn describe() -> Self {
        let cpuinfo = text("/proc/cpuinfo");
        Self {
            processor: field(&cpuinfo, "model name").to_owned(),
            processors: available_parallelism().map_or(0, usize::from),
            memory_mib: field(&text("/proc/meminfo"), "MemTotal")
                .split(' ')
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            hypervisor: if cpuinfo.contains(" hypervisor") { "yes".into() } else { "no".into() },
            kernel: text("/proc/sys/kernel/osrelease"),
            transparent_huge_pages: text("/sys/kernel/mm/transparent_hugepage/enabled"),
            tcp: text("/proc/sys/net/ipv4/tcp_congestion_control"),
            load: text("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
            qemu: qemu(),
        }
    }

    /// It as JSON.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self)
            .map_err(|source| Error::Json { what: "the machine".into(), source })
    }

    /// The machine of a JSON text.
    ///
    /// # Errors
    /// [`Error::Json`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|source| Error::Json { what: "machine.json".into(), source })
    }

    /// What differs between two machines, but for the load.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            ("processor", self.processor == other.processor),
            ("processors", self.processors == other.processors),
            ("memory", self.memory_mib == other.memory_mib),
            ("kernel", self.kernel == other.kernel),
            ("huge pages", self.transparent_huge_pages == other.transparent_huge_pages),
            ("TCP", self.tcp == other.tcp),
        ];
        pairs.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// A file of one line; nothing if there is none.
fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The value of the first `name: value` line.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

fn qemu() -> String {
    let said = tool(Command::new("qemu-system-x86_64").arg("--version")).unwrap_or_default();
    said.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_and_memory() {
        let machine = Machine::describe();
        assert!(
            machine.processors > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty(),
            "{machine:?}"
        );
        assert_eq!(Machine::parse(&machine.to_json().unwrap()).unwrap(), machine);
        let other = Machine { kernel: "1.0".into(), load: "9".into(), ..machine.clone() };
        assert_eq!(machine.differences(&other), ["kernel"]);
    }
}
