//! The state of a suspended guest apart from its memory: what a hypervisor calls the CPU context.

use serde::{Deserialize, Serialize};

use super::{GuestConfig, HostError};

/// The version of [`GuestState`] that this code writes and reads.
const VERSION: u32 = 1;
/// The longest time a state may claim: 2^62 ns, 146 years; additions to it cannot overflow.
const MAX_NS: u64 = 1 << 62;
/// Length of the kernel's boot id, a UUID in text (`/proc/sys/kernel/random/boot_id`).
const BOOT_ID: usize = 36;

/// The registers of one vCPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// Where in the vCPU's share of the pages its workload stands.
    pub position: u64,
    /// The workload's random number generator.
    pub rng: u64,
    /// Writes done since birth; also the value that the next write stores.
    pub writes: u64,
    /// The guest time at which the next write is due, ns.
    pub due_ns: u64,
}

/// Everything of a suspended guest that is not in its memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestState {
    /// The version of this structure.
    pub version: u32,
    /// One for each vCPU.
    pub vcpus: Vec<Registers>,
    /// How long the guest has run in its life, ns; it stands still while the guest is suspended or paused.
    pub clock_ns: u64,
    /// When the vCPUs were told to park, after which the first of them stood: `CLOCK_MONOTONIC` of the machine it ran on, ns.
    pub parked_at_ns: u64,
    /// Which boot of which machine the monotonic times belong to.
    pub boot_id: String,
    /// The last tick that the guest saw, `CLOCK_MONOTONIC`, ns.
    pub last_tick_ns: u64,
    /// The longest time between two ticks in the guest's life, ns.
    pub longest_gap_ns: u64,
    /// How often the guest was restored.
    pub migrations: u32,
    /// How many pages the balloon shall leave populated.
    pub balloon_target: u64,
    /// The balloon's random number generator.
    pub balloon_rng: u64,
}

impl GuestState {
    /// The state of a guest that has never run.
    #[must_use]
    pub fn new(config: &GuestConfig) -> Self {
        Self {
            version: VERSION,
            vcpus: Vec::new(),
            clock_ns: 0,
            parked_at_ns: 0,
            boot_id: String::new(),
            last_tick_ns: 0,
            longest_gap_ns: 0,
            migrations: 0,
            balloon_target: config.pages,
            balloon_rng: config.seed,
        }
    }

    /// Checks a state that came from outside against the configuration.
    ///
    /// # Errors
    /// [`HostError::State`].
    pub fn check(&self, config: &GuestConfig) -> Result<(), HostError> {
        if self.version != VERSION {
            return Err(refuse("version", &self.version, &VERSION.to_string()));
        }
        if self.vcpus.len() as u64 != u64::from(config.vcpus) {
            return Err(refuse("number of vCPUs", &self.vcpus.len(), &config.vcpus.to_string()));
        }
        if let Some(cpu) = self.vcpus.iter().find(|cpu| cpu.position >= config.pages) {
            return Err(refuse("position of a vCPU", &cpu.position, &format!("below {}", config.pages)));
        }
        if self.balloon_target > config.pages {
            return Err(refuse("balloon target", &self.balloon_target, &format!("up to {}", config.pages)));
        }
        let longest = self.clock_ns.max(self.last_tick_ns).max(self.longest_gap_ns);
        if longest >= MAX_NS {
            return Err(refuse("a time", &longest, &format!("below {MAX_NS}")));
        }
        if self.boot_id.len() > BOOT_ID {
            return Err(refuse("length of boot_id", &self.boot_id.len(), &format!("up to {BOOT_ID}")));
        }
        Ok(())
    }
}

fn refuse(field: &'static str, value: &impl ToString, allowed: &str) -> HostError {
    HostError::State { field, value: value.to_string(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GuestConfig {
        GuestConfig {
            name: "web".into(),
            pages: 64,
            vcpus: 1,
            workload: "idle".into(),
            fill: "zero".into(),
            seed: 1,
        }
    }

    fn state() -> GuestState {
        GuestState { vcpus: vec![Registers::default()], ..GuestState::new(&config()) }
    }

    #[test]
    fn refuses_what_does_not_fit_the_configuration() {
        assert!(state().check(&config()).is_ok());
        assert!(GuestState { version: 2, ..state() }.check(&config()).is_err());
        assert!(GuestState { vcpus: vec![], ..state() }.check(&config()).is_err());
        let beyond = Registers { position: 64, ..Registers::default() };
        assert!(GuestState { vcpus: vec![beyond], ..state() }.check(&config()).is_err());
        assert!(GuestState { balloon_target: 65, ..state() }.check(&config()).is_err());
        assert!(GuestState { clock_ns: u64::MAX, ..state() }.check(&config()).is_err());
        assert!(GuestState { boot_id: "x".repeat(37), ..state() }.check(&config()).is_err());
    }
}
