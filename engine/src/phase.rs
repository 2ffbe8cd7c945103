//! Where a save or a restore is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a save, a restore or a watch is. It displays as what is being done: "send round 3".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Save: headers and static data.
    Open,
    /// Save: a round of the pre-copy, the guest runs.
    Round(u32),
    /// Save: the guest is suspended, the last pages go.
    StopAndCopy,
    /// Save: every page goes once more, to be compared.
    Verify,
    /// Save: the state of the suspended domain goes.
    State,
    /// Save: the end of the stream.
    Close,
    /// The guest is only watched: see [`watch`](crate::watch).
    Watch,
    /// Restore: the stream is read.
    Receive,
    /// Restore: the target is made runnable.
    Complete,
}

impl Phase {
    /// One word for programs; the number of a round is not in it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Round(_) => "round",
            Self::StopAndCopy => "stop-and-copy",
            Self::Verify => "verify",
            Self::State => "state",
            Self::Close => "close",
            Self::Watch => "watch",
            Self::Receive => "receive",
            Self::Complete => "complete",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open the stream"),
            Self::Round(number) => write!(f, "send round {number}"),
            Self::StopAndCopy => f.write_str("send the last pages"),
            Self::Verify => f.write_str("send the pages again"),
            Self::State => f.write_str("save the domain's state"),
            Self::Close => f.write_str("close the stream"),
            Self::Watch => f.write_str("watch the guest"),
            Self::Receive => f.write_str("receive the domain"),
            Self::Complete => f.write_str("complete the domain"),
        }
    }
}
