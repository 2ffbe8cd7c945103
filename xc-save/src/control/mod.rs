//! A running migration can be asked how it gets on, and told to end: `xc-migrate status` and `xc-migrate cancel`.
//!
//! Each has a socket of its own, `ID.sock`, in a directory for its user only; the ID is the
//! guest as the user names it, `host:web`. JSON lines are spoken, one request a connection:
//!
//! ```text
//! -> {"do":"status"}
//! <- {"reply":"status","id":"host:web","command":"xc-migrate","pid":4711,"to":"...","phase":"round","round":2,...}
//! -> {"do":"cancel"}
//! <- {"reply":"cancelling"}
//! <- {"reply":"ended","exit":3,"place":"host:web runs on here as before"}
//! ```

mod client;
mod server;

use serde::{Deserialize, Serialize};

use crate::progress::Measure;

pub use client::{Cancelled, ControlError, cancel, status, statuses};
pub(crate) use server::Register;

/// Why a cancelled migration ends.
const CANCELLED: &str = "cancelled by `xc-migrate cancel`";
/// The longest line that is read, bytes.
const MAX_LINE: u64 = 4096;

/// What may be asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Request {
    Status,
    Cancel,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
enum Reply {
    Status(Box<Status>),
    /// It will end; how, a second line says.
    Cancelling,
    /// The guest is being handed over: nobody can take that back.
    TooLate,
    Ended {
        exit: u8,
        place: String,
    },
}

/// How a running migration gets on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// By which it is known.
    pub id: String,
    /// The command that runs it.
    pub command: String,
    /// Its process.
    pub pid: u32,
    /// Where the guest goes.
    pub to: String,
    /// `connect`, a phase of the engine, or `hand-over`.
    pub phase: String,
    /// The figures.
    #[serde(flatten)]
    pub measure: Measure,
}
