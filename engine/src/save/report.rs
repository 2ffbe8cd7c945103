//! What a save did, for people and for `--stats`.

use std::time::Duration;

use policy::Round;
use serde::{Serialize, Serializer};

/// Seconds, as a JSON number.
pub(crate) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// What a save did.
#[derive(Clone, Debug, Serialize)]
pub struct SaveReport {
    /// One more than the guest's highest pfn.
    pub pfn_limit: u64,
    /// The stop policy; empty for a save that was not live.
    pub policy: &'static str,
    /// Why the pre-copy ended; empty for a save that was not live.
    pub stop_reason: String,
    /// The rounds of the pre-copy; none for a save that was not live.
    #[serde(serialize_with = "rounds")]
    pub rounds: Vec<Round>,
    /// Pages sent while the guest was suspended.
    pub last_pages: u64,
    /// Pages sent in all, repeated ones counted each time; without those of `--debug`.
    pub pages: u64,
    /// Bytes of the libxc stream that the link accepted.
    pub bytes: u64,
    /// From the start to the last byte.
    #[serde(serialize_with = "seconds")]
    pub total: Duration,
    /// The moments of the stop-and-copy.
    pub downtime: Waterfall,
}

/// When each step of the stop-and-copy was done, counted from the start of the save.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Waterfall {
    /// The guest was asked to suspend.
    #[serde(serialize_with = "seconds")]
    pub asked: Duration,
    /// It had stopped.
    #[serde(serialize_with = "seconds")]
    pub suspended: Duration,
    /// The last dirty bitmap was there.
    #[serde(serialize_with = "seconds")]
    pub last_harvest: Duration,
    /// The link had accepted the last page.
    #[serde(serialize_with = "seconds")]
    pub last_page: Duration,
    /// The link had accepted the last byte.
    #[serde(serialize_with = "seconds")]
    pub state: Duration,
}

fn rounds<S: Serializer>(rounds: &[Round], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Row {
        number: u32,
        planned: u64,
        sent: u64,
        skipped: u64,
        bytes: u64,
        duration: f64,
        dirty: u64,
    }
    serializer.collect_seq(rounds.iter().map(|round| Row {
        number: round.number,
        planned: round.planned,
        sent: round.sent,
        skipped: round.skipped,
        bytes: round.bytes,
        duration: round.duration.as_secs_f64(),
        dirty: round.dirty,
    }))
}
