//! Who moves the memory: our own programs, an ideal copier, or a peer.

mod copier;
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
    /// A guest process, moved by `xc-save` and `xc-restore`, which has the memory beforehand (warm) or not (cold).
    Host(Temperature),
    /// A plain TCP copy of as many pages of the same content.
    Ideal(Temperature),
    /// A stopped guest of QEMU, into memory that was taken beforehand (warm) or not (cold), by this many multifd channels;
    /// by none, its plain stream.
    Qemu(Temperature, Option<u8>),
}

impl FromStr for World {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let expected = "host, host-warm, ideal-cold, ideal-warm, qemu[-multifd-N][-warm] (N from 1 to 16)";
        let bad = || Error::Spec { what: "world", text: text.to_owned(), expected };
        match text {
            "host" => Ok(Self::Host(Temperature::Cold)),
            "host-warm" => Ok(Self::Host(Temperature::Warm)),
            "ideal-cold" => Ok(Self::Ideal(Temperature::Cold)),
            "ideal-warm" => Ok(Self::Ideal(Temperature::Warm)),
            _ => qemu(text).ok_or_else(bad),
        }
    }
}

fn qemu(text: &str) -> Option<World> {
    let (how, temperature) = match text.strip_suffix("-warm") {
        Some(how) => (how, Temperature::Warm),
        None => (text, Temperature::Cold),
    };
    if how == "qemu" {
        return Some(World::Qemu(temperature, None));
    }
    let channels = how.strip_prefix("qemu-multifd-")?.parse().ok()?;
    (1..=16).contains(&channels).then_some(World::Qemu(temperature, Some(channels)))
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(Temperature::Cold) => write!(f, "host"),
            Self::Host(Temperature::Warm) => write!(f, "host-warm"),
            Self::Ideal(temperature) => write!(f, "ideal-{temperature}"),
            Self::Qemu(temperature, channels) => {
                write!(f, "qemu")?;
                channels.iter().try_for_each(|channels| write!(f, "-multifd-{channels}"))?;
                write!(f, "{}", if *temperature == Temperature::Warm { "-warm" } else { "" })
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
        World::Host(temperature) => host::measure(cell, temperature, network),
        World::Ideal(temperature) => copier::measure(cell, temperature, network),
        World::Qemu(temperature, channels) => qemu::measure(cell, temperature, channels, network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_is_read_and_shown_alike() {
        let ours_and_ideal = ["host", "host-warm", "ideal-cold", "ideal-warm"];
        let peers = ["qemu", "qemu-warm", "qemu-multifd-4", "qemu-multifd-4-warm"];
        for text in ours_and_ideal.into_iter().chain(peers) {
            assert_eq!(text.parse::<World>().unwrap().to_string(), text);
        }
        for text in ["qemu-multifd-0", "qemu-warm-multifd-4", "qemu-", "mars"] {
            text.parse::<World>().unwrap_err();
        }
    }
}
