//! The control protocol of a guest: JSON lines over its unix socket, one request, one reply.
//!
//! ```text
//! -> {"do":"attach"}
//! <- {"reply":"attached","config":{...},"memory":3,"p2m":4,"address":139...}
//! -> {"do":"balloon","pages":65536}
//! <- {"reply":"refused","reason":"..."}
//! ```
//!
//! Anybody who may open the socket may ask for `info`, `hash`, `balloon`, `stop`, `pause` and `resume`. All else is
//! for the one controller: the connection that said `attach`, or the one that an incoming guest was born with.
//! When the controlling connection ends, for whatever reason, the guest leaves every state that only a
//! controller can end: an incoming guest exits; another one stops tracking and, unless it was given away, runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{GuestConfig, GuestState};

/// The longest line that is read: several times the longest state.
const MAX_LINE: u64 = 64 << 10;

/// How the guest's writes are tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackerKind {
    /// userfaultfd's asynchronous write protection and `PAGEMAP_SCAN`.
    WpAsync,
    /// Soft-dirty bits, with the guest parked during each harvest.
    SoftDirty,
}

impl TrackerKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WpAsync => "wp-async",
            Self::SoftDirty => "soft-dirty",
        }
    }
}

/// What may be asked of a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// How it is.
    Info,
    /// The digest of its memory; it is parked meanwhile.
    Hash,
    /// Shall have this many populated pages.
    Balloon {
        /// How many.
        pages: u64,
    },
    /// Shall end.
    Stop,
    /// Shall not run until `resume`.
    Pause,
    /// Shall run again; ends a pause, or takes a guest that was given away back.
    Resume,
    /// This connection wants to be the controller.
    Attach,
    /// Shall have its writes tracked, or no longer.
    Track {
        /// How; `None` ends it.
        how: Option<TrackerKind>,
    },
    /// Shall write to the proof page once.
    Prove,
    /// Shall hold its vCPUs still for a moment, or no longer. Not a suspend: no state is taken.
    Park {
        /// Whether it shall.
        on: bool,
    },
    /// Shall suspend and tell its state.
    Suspend,
    /// Shall run again after `suspend`.
    Unsuspend,
    /// Suspended: is now another host's, and stays suspended whatever happens here.
    GiveAway,
    /// Given away: is this host's again, and runs.
    TakeBack,
    /// Shall end, at the controller's wish.
    Destroy,
    /// First request to a guest process that shall be a new guest: makes its memory and fills it.
    Create {
        /// Its configuration.
        config: GuestConfig,
    },
    /// First request to a guest process that is restored: what it is, and where its memory is.
    Prepare {
        /// Its configuration, under the name that it shall have here.
        config: GuestConfig,
        /// The process that made its memory.
        pid: u32,
        /// That process's descriptor of the memory.
        memory: i32,
        /// That process's descriptor of the p2m.
        p2m: i32,
    },
    /// Second request to a guest that is restored: its state.
    Load {
        /// The state.
        state: GuestState,
    },
    /// Last request to an incoming guest: takes its name and needs no controller any more.
    Start {
        /// Whether it stays paused, as by `pause`.
        paused: bool,
    },
}

/// What a guest answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reply {
    /// It is done.
    Done,
    /// Answer to `info`.
    Info(GuestInfo),
    /// Answer to `hash`.
    Hash(GuestHash),
    /// Answer to `attach`.
    Attached(Attachment),
    /// Answer to `suspend`.
    Suspended(GuestState),
    /// It is not done; all is as before.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What the controller needs to read the guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attachment {
    /// The guest's configuration.
    pub config: GuestConfig,
    /// Its descriptor of the memory.
    pub memory: i32,
    /// Its descriptor of the p2m.
    pub p2m: i32,
    /// Where the memory is in its address space.
    pub address: u64,
}

/// Whether a guest runs, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It runs.
    Running,
    /// Its user paused it.
    Paused,
    /// A migration suspended it.
    Suspended,
    /// It was handed over to another host, and is kept until that one surely runs it.
    GivenAway,
    /// It is being built.
    Incoming,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::GivenAway => "given-away",
            Self::Incoming => "incoming",
        }
    }
}

/// How a guest is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuestInfo {
    /// Its name now.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Whether it runs.
    pub status: Status,
    /// The size of its pfn space, pages.
    pub pages: u64,
    /// How many of them have memory.
    pub populated: u64,
    /// How many the balloon is to leave populated.
    pub balloon_target: u64,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Its workload.
    pub workload: String,
    /// How its writes are tracked just now.
    pub tracking: Option<TrackerKind>,
    /// Writes done since birth.
    pub writes: u64,
    /// Writes per second of running time since birth or the last restore.
    pub rate: f64,
    /// Running time since birth, ns.
    pub uptime_ns: u64,
    /// How often it was restored.
    pub migrations: u32,
    /// The longest time between two of its 1 ms ticks since birth, ns.
    pub longest_gap_ns: u64,
    /// The time between the tick before and the tick after the last suspend: the downtime as the guest itself knows
    /// it, ns. `None` when it was never suspended or restored, or came from another machine, whose clock is another one.
    pub last_migration_gap_ns: Option<u64>,
    /// When that gap ended: `CLOCK_MONOTONIC` of this machine, ns.
    pub last_migration_end_ns: Option<u64>,
}

/// The digest of a guest's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestHash {
    /// `engine::digest::MemoryDigest` of all populated pages, 32 hexadecimal digits.
    pub digest: String,
    /// How many pages are populated.
    pub populated: u64,
}

/// One end of a control connection.
#[derive(Debug)]
pub struct Lines(BufReader<UnixStream>);

impl Lines {
    /// Speaks lines over a connection.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The connection.
    pub(super) fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the peer is gone.
    pub fn send<T: Serialize>(&mut self, message: &T) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line)
    }

    /// Receives a message; `None` when the peer hung up.
    ///
    /// # Errors
    /// When the connection fails, or the line is too long or is no such message
    /// ([`std::io::ErrorKind::InvalidData`]).
    pub fn receive<T: DeserializeOwned>(&mut self) -> std::io::Result<Option<T>> {
        let mut line = Vec::new();
        self.0.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            return Ok(Some(serde_json::from_slice(&line)?));
        }
        if (line.len() as u64) < MAX_LINE {
            return Ok(None);
        }
        Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("a line of more than {MAX_LINE} bytes"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_refused_and_a_hang_up_is_none() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let flood = std::thread::spawn(move || there.write_all(&vec![b'x'; 80 << 10]));
        let mut lines = Lines::new(here);
        assert!(lines.receive::<Request>().unwrap_err().to_string().contains("more than 65536"));
        drop(lines);
        let _ = flood.join().unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        assert!(Lines::new(here).receive::<Request>().unwrap().is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(b"{\"do\":\"dance\"}\n").unwrap();
        assert!(Lines::new(here).receive::<Request>().is_err());
    }
}
