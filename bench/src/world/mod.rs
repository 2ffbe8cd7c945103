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
    /// A stopped guest of QEMU, by this many multifd channels; by none, its plain stream.
    Qemu(Option<u8>),
}

impl FromStr for World {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let expected = "host, host-warm, ideal-cold, ideal-warm, qemu or qemu-multifd-N (N from 1 to 16)";
        let bad = || Error::Spec { what: "world", text: text.to_owned(), expected };
        match text {
            "host" => Ok(Self::Host(Temperature::Cold)),
            "host-warm" => Ok(Self::Host(Temperature::Warm)),
            "ideal-cold" => Ok(Self::Ideal(Temperature::Cold)),
            "ideal-warm" => Ok(Self::Ideal(Temperature::Warm)),
            "qemu" => Ok(Self::Qemu(None)),
            _ => {
                let channels =
                    text.strip_prefix("qemu-multifd-").and_then(|n| n.parse().ok()).ok_or_else(bad)?;
                if (1..=16).contains(&channels) { Ok(Self::Qemu(Some(channels))) } else { Err(bad()) }
            }
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(Temperature::Cold) => write!(f, "host"),
            Self::Host(Temperature::Warm) => write!(f, "host-warm"),
            Self::Ideal(temperature) => write!(f, "ideal-{temperature}"),
            Self::Qemu(None) => write!(f, "qemu"),
            Self::Qemu(Some(channels)) => write!(f, "qemu-multifd-{channels}"),
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
        World::Qemu(channels) => qemu::measure(cell, channels, network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_is_read_and_shown_alike() {
        for text in ["host", "host-warm", "ideal-cold", "ideal-warm", "qemu", "qemu-multifd-4"] {
            assert_eq!(text.parse::<World>().unwrap().to_string(), text);
        }
        assert!("qemu-multifd-0".parse::<World>().is_err() && "mars".parse::<World>().is_err());
    }
}
