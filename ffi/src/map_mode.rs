//! How a guest is mapped.

use std::str::FromStr;

/// How a guest's memory is made readable during a pre-copy. A suspended Xen domain is always mapped a batch at a time, for
/// then each page is needed once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapMode {
    /// All of it at the start, for all rounds. Of a Xen domain, in chunks; frames that it gives back meanwhile stay charged
    /// to it until the mapping is renewed, which happens as soon as it takes new ones; a PV guest cannot exchange its
    /// frames (`XENMEM_exchange`) meanwhile.
    #[default]
    Full,
    /// Each batch of pages when it is sent, as upstream does.
    Batch,
}

impl FromStr for MapMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            "batch" => Ok(Self::Batch),
            other => Err(format!("map mode {other:?} is neither full nor batch")),
        }
    }
}
