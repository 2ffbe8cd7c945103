//! What a guest is made of: enough to build the same guest elsewhere.

use serde::{Deserialize, Serialize};

use super::HostError;

/// The most pages a guest may have: 1 TiB. More is a mistake or an attack.
pub const MAX_PAGES: u64 = 1 << 28;
/// The most vCPUs a guest may have; Xen's legacy limit for PV, and plenty of threads.
pub const MAX_VCPUS: u32 = 64;
/// The longest text in a configuration, bytes.
const MAX_TEXT: usize = 256;

/// A guest's configuration. It travels beside the stream as JSON, so fields of later versions are ignored and
/// all values are checked by [`GuestConfig::check`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestConfig {
    /// The guest's name.
    pub name: String,
    /// The size of its pfn space, pages of 4096 bytes.
    pub pages: u64,
    /// How many vCPUs (workload threads).
    pub vcpus: u32,
    /// The workload, `NAME[:key=value,...]`; the guest program knows which exist.
    pub workload: String,
    /// What its memory held at birth: `random`, `text`, `zero` or `mixed`.
    pub fill: String,
    /// Seed of all that is random in it.
    pub seed: u64,
}

impl GuestConfig {
    /// Checks that the sizes are sane. Whether the workload exists, the guest itself checks.
    ///
    /// # Errors
    /// [`HostError::Config`], or [`HostError::Name`].
    pub fn check(&self) -> Result<(), HostError> {
        super::names::check(&self.name)?;
        bounded("pages", self.pages, 1, MAX_PAGES)?;
        bounded("vcpus", u64::from(self.vcpus), 1, u64::from(MAX_VCPUS))?;
        if self.pages < u64::from(self.vcpus) {
            return Err(refuse("pages", self.pages, "at least one for each vCPU"));
        }
        bounded("length of workload", self.workload.len() as u64, 1, MAX_TEXT as u64)?;
        bounded("length of fill", self.fill.len() as u64, 1, MAX_TEXT as u64)
    }
}

fn bounded(field: &'static str, value: u64, low: u64, high: u64) -> Result<(), HostError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(refuse(field, value, &format!("{low} to {high}")))
}

fn refuse(field: &'static str, value: u64, allowed: &str) -> HostError {
    HostError::Config { field, value: value.to_string(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GuestConfig {
        GuestConfig {
            name: "web".into(),
            pages: 64,
            vcpus: 2,
            workload: "idle".into(),
            fill: "zero".into(),
            seed: 1,
        }
    }

    #[test]
    fn refuses_what_cannot_be() {
        assert!(config().check().is_ok());
        assert!(GuestConfig { pages: 0, ..config() }.check().is_err());
        assert!(GuestConfig { pages: MAX_PAGES + 1, ..config() }.check().is_err());
        assert!(GuestConfig { vcpus: 0, ..config() }.check().is_err());
        assert!(GuestConfig { vcpus: 65, pages: 100, ..config() }.check().is_err());
        assert!(GuestConfig { pages: 1, ..config() }.check().is_err());
        assert!(GuestConfig { name: "../web".into(), ..config() }.check().is_err());
        assert!(GuestConfig { workload: "x".repeat(300), ..config() }.check().is_err());
    }

    #[test]
    fn ignores_fields_of_later_versions() {
        let json =
            r#"{"name":"a","pages":1,"vcpus":1,"workload":"idle","fill":"zero","seed":0,"colour":"red"}"#;
        assert!(serde_json::from_str::<GuestConfig>(json).unwrap().check().is_ok());
    }
}
