//! The messages, byte for byte.
//!
//! A frame is a `u16` length of what follows, a `u16` message number and the arguments back to back, all in the
//! host's byte order. A text is a `u32` length and that many bytes, the last of which is NUL. libxl drops a frame
//! that it does not understand without a word; a helper that waits for its answer would wait for ever.

use super::Error;

/// The longest text, in bytes without its NUL: two of them and the numbers of any message fit into `PIPE_BUF`
/// (4096), so that a frame is written whole or not at all.
const TEXT_MAX: usize = 2000;

/// The `errnoval` of a log message that is about no system call; libxl appends an error's name to any other.
pub(super) const NO_ERRNO: i32 = -1;

/// How important a log message is (`xentoollog_level`). xl shows `Info` and above, and `Detail` with `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For developers.
    Debug = 1,
    /// For the curious.
    Detail = 3,
    /// For everybody.
    Info = 5,
    /// Something is odd.
    Warn = 7,
    /// Something failed.
    Error = 8,
}

/// Where a restored guest's rings are. The gfn of a PV guest is an mfn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreResults {
    /// Of the xenstore ring.
    pub store_gfn: u64,
    /// Of the console ring.
    pub console_gfn: u64,
}

/// A message that libxl does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A line for libxl's log (1).
    Log {
        /// How important.
        level: Level,
        /// An `errno`, or -1 for none.
        errno: i32,
        /// Who says it.
        context: &'a str,
        /// What.
        text: &'a str,
    },
    /// How far the helper is (2).
    Progress {
        /// Who says it.
        context: &'a str,
        /// With what.
        text: &'a str,
        /// How much is done.
        done: u64,
        /// Of how much; 0 for something that simply happened.
        total: u64,
    },
    /// Restore: where the rings are (9). libxl needs it before `complete`.
    RestoreResults(RestoreResults),
}

/// A message that libxl answers with one `i32`; [`Request::judge`] tells what the answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Suspend the guest (3). It may take two minutes: 60 s to acknowledge, 60 s to suspend.
    Suspend,
    /// Checkpointed streams: let the guest run on (4).
    Postcopy,
    /// Checkpointed streams: a checkpoint is complete (5).
    Checkpoint,
    /// COLO: wait for the next checkpoint (6).
    WaitCheckpoint,
    /// Save: qemu shall log its writes, or no longer (7).
    SwitchQemuLogdirty {
        /// The domain.
        domid: u32,
        /// On or off.
        enable: bool,
    },
    /// Restore: the static data was applied (8).
    StaticDataDone {
        /// What was not in the stream, for libxl to make up: bit 0 CPUID policy, bit 1 MSR policy
        /// (`XGR_SDD_MISSING_*` of `xenguest.h`).
        missing: u32,
    },
    /// It is over (10).
    Complete {
        /// 0, or -1 for a failure.
        retval: i32,
        /// Why, as an `errno`; 0 on success.
        errno: i32,
    },
}

/// What libxl answered when it did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Granted,
    /// Checkpointed restore: the other side is gone, the guest shall run here.
    Failover,
}

impl Notice<'_> {
    /// As libxl calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Log { .. } => "log",
            Self::Progress { .. } => "progress",
            Self::RestoreResults(_) => "restore_results",
        }
    }

    /// The message number.
    #[must_use]
    pub fn number(&self) -> u16 {
        match self {
            Self::Log { .. } => 1,
            Self::Progress { .. } => 2,
            Self::RestoreResults(_) => 9,
        }
    }

    /// The whole frame. Texts are cut to 2000 bytes, and a NUL in them becomes a blank.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let frame = Frame::new(self.number());
        match *self {
            Self::Log { level, errno, context, text } => {
                frame.u32(level as u32).i32(errno).text(context).text(text)
            }
            Self::Progress { context, text, done, total } => {
                frame.text(context).text(text).u64(done).u64(total)
            }
            Self::RestoreResults(RestoreResults { store_gfn, console_gfn }) => {
                frame.u64(store_gfn).u64(console_gfn)
            }
        }
        .finish()
    }
}

impl Request {
    /// As libxl calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Postcopy => "postcopy",
            Self::Checkpoint => "checkpoint",
            Self::WaitCheckpoint => "wait_checkpoint",
            Self::SwitchQemuLogdirty { .. } => "switch_qemu_logdirty",
            Self::StaticDataDone { .. } => "static_data_done",
            Self::Complete { .. } => "complete",
        }
    }

    /// The message number.
    #[must_use]
    pub fn number(&self) -> u16 {
        match self {
            Self::Suspend => 3,
            Self::Postcopy => 4,
            Self::Checkpoint => 5,
            Self::WaitCheckpoint => 6,
            Self::SwitchQemuLogdirty { .. } => 7,
            Self::StaticDataDone { .. } => 8,
            Self::Complete { .. } => 10,
        }
    }

    /// The whole frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let frame = Frame::new(self.number());
        match *self {
            Self::Suspend | Self::Postcopy | Self::Checkpoint | Self::WaitCheckpoint => frame,
            Self::SwitchQemuLogdirty { domid, enable } => frame.u32(domid).u32(enable.into()),
            Self::StaticDataDone { missing } => frame.u32(missing),
            Self::Complete { retval, errno } => frame.i32(retval).i32(errno),
        }
        .finish()
    }

    /// What libxl's answer means: some callbacks answer with a truth value, others with an error code.
    ///
    /// # Errors
    /// [`Error::Refused`] when libxl could not do it, [`Error::Meaningless`] for an answer it never gives.
    pub fn judge(&self, reply: i32) -> Result<Verdict, Error> {
        let message = self.name();
        match (self, reply) {
            (Self::Suspend | Self::Postcopy | Self::Checkpoint | Self::WaitCheckpoint, 1)
            | (Self::SwitchQemuLogdirty { .. } | Self::StaticDataDone { .. } | Self::Complete { .. }, 0) => {
                Ok(Verdict::Granted)
            }
            (Self::Checkpoint | Self::WaitCheckpoint, 2) => Ok(Verdict::Failover),
            (Self::Suspend | Self::Postcopy | Self::Checkpoint | Self::WaitCheckpoint, 0)
            | (Self::SwitchQemuLogdirty { .. }, -1)
            | (Self::StaticDataDone { .. }, _) => Err(Error::Refused { message, reply }),
            _ => Err(Error::Meaningless { message, reply }),
        }
    }
}

/// A frame being written.
struct Frame {
    number: u16,
    arguments: Vec<u8>,
}

impl Frame {
    fn new(number: u16) -> Self {
        Self { number, arguments: Vec::new() }
    }

    fn u32(mut self, value: u32) -> Self {
        self.arguments.extend_from_slice(&value.to_ne_bytes());
        self
    }

    fn i32(mut self, value: i32) -> Self {
        self.arguments.extend_from_slice(&value.to_ne_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.arguments.extend_from_slice(&value.to_ne_bytes());
        self
    }

    fn text(mut self, text: &str) -> Self {
        let end = (0..=TEXT_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        let text = text[..end].replace('\0', " ");
        let length = u32::try_from(text.len() + 1).expect("a text is at most TEXT_MAX bytes");
        self = self.u32(length);
        self.arguments.extend_from_slice(text.as_bytes());
        self.arguments.push(0);
        self
    }

    fn finish(self) -> Vec<u8> {
        let length = size_of::<u16>() + self.arguments.len();
        let length = u16::try_from(length).expect("two texts and some numbers are at most PIPE_BUF");
        [&length.to_ne_bytes(), &self.number.to_ne_bytes(), self.arguments.as_slice()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Request; 7] = [
        Request::Suspend,
        Request::Postcopy,
        Request::Checkpoint,
        Request::WaitCheckpoint,
        Request::SwitchQemuLogdirty { domid: 5, enable: true },
        Request::StaticDataDone { missing: 0 },
        Request::Complete { retval: 0, errno: 0 },
    ];

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    /// The bytes of upstream's own stubs.
    #[test]
    fn golden_requests() {
        for (request, bytes) in [
            (Request::Suspend, "02 00 03 00"),
            (Request::Postcopy, "02 00 04 00"),
            (Request::Checkpoint, "02 00 05 00"),
            (Request::WaitCheckpoint, "02 00 06 00"),
            (Request::SwitchQemuLogdirty { domid: 5, enable: true }, "0a 00 07 00 05 00 00 00 01 00 00 00"),
            (Request::StaticDataDone { missing: 0 }, "06 00 08 00 00 00 00 00"),
            (Request::Complete { retval: 0, errno: 0 }, "0a 00 0a 00 00 00 00 00 00 00 00 00"),
            (Request::Complete { retval: -1, errno: libc::EPIPE }, "0a 00 0a 00 ff ff ff ff 20 00 00 00"),
        ] {
            assert_eq!(request.encode(), hex(bytes), "{request:?}");
        }
    }

    #[test]
    fn golden_notices() {
        for (notice, bytes) in [
            (
                Notice::Log { level: Level::Debug, errno: 0, context: "xc", text: "hi" },
                "18 00 01 00 01 00 00 00 00 00 00 00 03 00 00 00 78 63 00 03 00 00 00 68 69 00",
            ),
            (
                Notice::Progress { context: "xc", text: "Frames iteration 0", done: 1024, total: 262_144 },
                "30 00 02 00 03 00 00 00 78 63 00 13 00 00 00 46 72 61 6d 65 73 20 69 74 65 72 61 74 69 6f \
                 6e 20 30 00 00 04 00 00 00 00 00 00 00 00 04 00 00 00 00 00",
            ),
            (
                Notice::RestoreResults(RestoreResults { store_gfn: 0xfeffc, console_gfn: 0xfefff }),
                "12 00 09 00 fc ef 0f 00 00 00 00 00 ff ef 0f 00 00 00 00 00",
            ),
        ] {
            assert_eq!(notice.encode(), hex(bytes), "{notice:?}");
        }
    }

    #[test]
    fn a_frame_of_long_texts_is_written_at_once() {
        let text = "ä".repeat(40_000);
        let frame =
            Notice::Log { level: Level::Error, errno: NO_ERRNO, context: &text, text: &text }.encode();
        assert!((2 * TEXT_MAX..=libc::PIPE_BUF).contains(&frame.len()), "{}", frame.len());
    }

    #[test]
    fn no_text_ends_early() {
        let frame = Notice::Progress { context: "a\0b", text: "", done: 0, total: 0 }.encode();
        assert_eq!(frame[4..17], hex("04 00 00 00 61 20 62 00 01 00 00 00 00"));
    }

    /// The answer that means yes, and those that mean no; whatever else means nothing.
    #[test]
    fn every_answer_of_every_request() {
        for request in ALL {
            let (yes, no): (i32, &[i32]) = match request {
                Request::Suspend | Request::Postcopy | Request::Checkpoint | Request::WaitCheckpoint => {
                    (1, &[0])
                }
                Request::SwitchQemuLogdirty { .. } => (0, &[-1]),
                Request::StaticDataDone { .. } => (0, &[-1, 1, -3, 2, i32::MIN, i32::MAX]),
                Request::Complete { .. } => (0, &[]),
            };
            let may_fail_over = matches!(request, Request::Checkpoint | Request::WaitCheckpoint);
            for reply in [-3, -1, 0, 1, 2, i32::MIN, i32::MAX] {
                let verdict = request.judge(reply);
                let right = match &verdict {
                    Ok(Verdict::Granted) => reply == yes,
                    Ok(Verdict::Failover) => may_fail_over && reply == 2,
                    Err(Error::Refused { .. }) => no.contains(&reply),
                    Err(Error::Meaningless { .. }) => reply != yes && !no.contains(&reply),
                    Err(_) => false,
                };
                assert!(right, "{request:?}, {reply}: {verdict:?}");
            }
        }
    }
}
