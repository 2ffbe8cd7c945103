//! Who moves the memory: our own programs, an ideal copier, or a peer.

mod copier;
mod draw;
mod host;
mod qemu;
mod qmp;

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::bed::Network;
use crate::plan::Cell;
use crate::run::Measured;

pub use copier::{Temperature, receive, send};
pub(crate) use host::WARM_UP;
pub use host::{guest_host, start_guest};

/// A world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// A guest process, moved by `xc-save` and `xc-restore`, which has the memory beforehand (warm) or not (cold), over so
    /// many connections.
    Host(Temperature, u8),
    /// A plain TCP copy of as many pages of the same content.
    Ideal(Temperature),
    /// A stopped guest of QEMU, by this many multifd channels; by none, its plain stream.
    Qemu(QemuMemory, Option<u8>),
}

/// The memory that QEMU receives a guest into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QemuMemory {
    /// A memory file, taken beforehand (warm) or not (cold).
    File(Temperature),
    /// What it has if nobody says otherwise: its own, and of that huge pages where the kernel gives them to who asks
    /// (`transparent_hugepage/enabled`). Not taken beforehand.
    Ram,
}

impl FromStr for World {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let expected = "host[-connections-N][-warm], ideal-cold, ideal-warm or qemu[-multifd-N][-warm|-ram] (N from 1 to 16)";
        let bad = || Error::Spec { what: "world", text: text.to_owned(), expected };
        match text {
            "ideal-cold" => Ok(Self::Ideal(Temperature::Cold)),
            "ideal-warm" => Ok(Self::Ideal(Temperature::Warm)),
            _ => ours_or_qemu(text).ok_or_else(bad),
        }
    }
}

fn ours_or_qemu(text: &str) -> Option<World> {
    if let Some(how) = text.strip_suffix("-ram") {
        return Some(World::Qemu(QemuMemory::Ram, channels(how)?));
    }
    let (how, temperature) = match text.strip_suffix("-warm") {
        Some(how) => (how, Temperature::Warm),
        None => (text, Temperature::Cold),
    };
    match how.strip_prefix("host") {
        Some("") => Some(World::Host(temperature, 1)),
        Some(rest) => Some(World::Host(temperature, number(rest.strip_prefix("-connections-")?)?)),
        None => Some(World::Qemu(QemuMemory::File(temperature), channels(how)?)),
    }
}

/// The multifd channels of QEMU, if it has some; `None` when it is not QEMU.
fn channels(how: &str) -> Option<Option<u8>> {
    match how.strip_prefix("qemu")? {
        "" => Some(None),
        rest => Some(Some(number(rest.strip_prefix("-multifd-")?)?)),
    }
}

/// How many connections or channels.
fn number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| (1..=16).contains(number))
}

fn warmth(temperature: Temperature) -> &'static str {
    if temperature == Temperature::Warm { "-warm" } else { "" }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(temperature, 1) => write!(f, "host{}", warmth(*temperature)),
            Self::Host(temperature, connections) => {
                write!(f, "host-connections-{connections}{}", warmth(*temperature))
            }
            Self::Ideal(temperature) => write!(f, "ideal-{temperature}"),
            Self::Qemu(memory, channels) => {
                write!(f, "qemu")?;
                channels.iter().try_for_each(|channels| write!(f, "-multifd-{channels}"))?;
                match memory {
                    QemuMemory::File(temperature) => write!(f, "{}", warmth(*temperature)),
                    QemuMemory::Ram => write!(f, "-ram"),
                }
            }
        }
    }
}

/// Measures one cell once.
///
/// # Errors
/// When the migration fails; nothing of it is left then.
pub fn measure(cell: &Cell, network: &Network) -> Result<Measured, Error> {
    match cell.world.parse()? {
        World::Host(temperature, connections) => host::measure(cell, temperature, connections, network),
        World::Ideal(temperature) => copier::measure(cell, temperature, network),
        World::Qemu(memory, channels) => qemu::measure(cell, memory, channels, network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_is_read_and_shown_alike() {
        let ours = ["host", "host-warm", "host-connections-2", "host-connections-4-warm"];
        let ideal = ["ideal-cold", "ideal-warm"];
        let peers =
            ["qemu", "qemu-warm", "qemu-ram", "qemu-multifd-4", "qemu-multifd-4-warm", "qemu-multifd-4-ram"];
        for text in ours.into_iter().chain(ideal).chain(peers) {
            assert_eq!(text.parse::<World>().unwrap().to_string(), text);
        }
        for text in [
            "qemu-multifd-0",
            "qemu-warm-multifd-4",
            "qemu-",
            "host-2",
            "host-ram",
            "host-connections-17",
            "mars",
        ] {
            text.parse::<World>().unwrap_err();
        }
    }
}
