//! What a save did, for people and for `--stats`.

use std::time::Duration;

use policy::Round;
use serde::{Deserialize, Serialize};

use crate::seconds;

/// What a save did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveReport {
    /// One more than the guest's highest pfn.
    pub pfn_limit: u64,
    /// The stop policy; empty for a save that was not live.
    pub policy: String,
    /// Why the pre-copy ended; empty for a save that was not live.
    pub stop_reason: String,
    /// The rounds of the pre-copy; none for a save that was not live.
    #[serde(with = "rounds")]
    pub rounds: Vec<Round>,
    /// Pages sent while the guest was suspended.
    pub last_pages: u64,
    /// Pages sent in all, repeated ones counted each time; without those of `--debug`.
    pub pages: u64,
    /// Bytes of the libxc stream that the link accepted.
    pub bytes: u64,
    /// Over how many links the pages went.
    pub links: usize,
    /// When the save began, on the clock of its context: the times of this report count from there.
    #[serde(skip)]
    pub started: Duration,
    /// From the start to the last byte.
    #[serde(with = "seconds")]
    pub total: Duration,
    /// The moments of the stop-and-copy.
    pub downtime: Waterfall,
    /// What looking at the dirty pages within the rounds took.
    pub peeks: Peeks,
}

/// Looks at the dirty pages that took nothing out of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peeks {
    /// How many.
    pub number: u64,
    /// What they took in all.
    #[serde(with = "seconds")]
    pub time: Duration,
}

/// When each step of the stop-and-copy was done, counted from the start of the save.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Waterfall {
    /// The stop policy had enough; from here on the link was let run empty.
    #[serde(with = "seconds")]
    pub decided: Duration,
    /// The guest was asked to suspend.
    #[serde(with = "seconds")]
    pub asked: Duration,
    /// Its vCPUs were told to stand, by its own word; the same as `asked` where it has none.
    #[serde(with = "seconds")]
    pub stopped: Duration,
    /// It was known to have stopped.
    #[serde(with = "seconds")]
    pub suspended: Duration,
    /// The last dirty bitmap was there.
    #[serde(with = "seconds")]
    pub last_harvest: Duration,
    /// The link had accepted the last page.
    #[serde(with = "seconds")]
    pub last_page: Duration,
    /// The link had accepted the last byte.
    #[serde(with = "seconds")]
    pub state: Duration,
}

/// `Round` is of a crate that knows no serde.
mod rounds {
    use policy::Round;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::seconds;

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Round")]
    struct Fields {
        number: u32,
        planned: u64,
        sent: u64,
        skipped: u64,
        bytes: u64,
        #[serde(with = "seconds")]
        duration: std::time::Duration,
        dirty: u64,
    }

    #[derive(Deserialize)]
    struct Read(#[serde(with = "Fields")] Round);

    #[derive(Serialize)]
    struct Written<'a>(#[serde(with = "Fields")] &'a Round);

    pub(super) fn serialize<S: Serializer>(rounds: &[Round], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rounds.iter().map(Written))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Round>, D::Error> {
        Ok(Vec::<Read>::deserialize(deserializer)?.into_iter().map(|read| read.0).collect())
    }
}
