//! A link by name: `loopback`, `10G/9000`, `10G/1500/offload`.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The smallest MTU of IPv4 (RFC 791), bytes.
const MIN_MTU: u32 = 68;
/// The largest MTU of a veth, bytes.
const MAX_MTU: u32 = 65_535;
/// The slowest link, bit/s: the traffic shaper's clock is no good below it.
const MIN_RATE: u64 = 1_000_000;
/// The fastest link, bit/s.
const MAX_RATE: u64 = 1_000_000_000_000;
/// From this rate on (bit/s) small frames cost more than their share: 800,000 of them a second at 10 Gbit/s.
const FAST: u64 = 10_000_000_000;
/// The payload of a jumbo frame as everybody's switches have it, bytes.
const JUMBO: u32 = 9000;

/// A link between source and target. Displays as it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkSpec {
    /// The loopback interface, as fast as the machine is.
    Loopback,
    /// Two network namespaces with a shaped veth pair between them.
    Shaped {
        /// Bit/s of Ethernet frames.
        rate: u64,
        /// The payload of a frame, bytes.
        mtu: u32,
        /// Whether the sender may hand the interface segments of 64 KiB, which a network card would cut up itself.
        /// A veth never cuts them: only without it are the frames as small as the MTU says.
        offload: bool,
    },
}

impl LinkSpec {
    /// Its rate, bit/s, if it has one.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        match *self {
            Self::Loopback => None,
            Self::Shaped { rate, .. } => Some(rate),
        }
    }

    /// Its MTU, bytes, if it is not the loopback's.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        match *self {
            Self::Loopback => None,
            Self::Shaped { mtu, .. } => Some(mtu),
        }
    }

    /// What is wrong with such a link, and the remedy.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        match *self {
            Self::Shaped { rate, mtu, .. } if rate >= FAST && mtu < JUMBO => Some(format!(
                "a path of {} with frames of {mtu} bytes: give it jumbo frames on every hop, `ip link set dev DEV \
                 mtu {JUMBO}`; they are a sixth of the frames and 5 % more goodput",
                text_of_rate(rate)
            )),
            _ => None,
        }
    }
}

impl FromStr for LinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Spec {
            what: "link",
            text: text.to_owned(),
            expected: "loopback, or RATE/MTU[/offload] \
            such as 1G/1500 or 10G/9000, of 1M to 1000G and 68 to 65535 bytes",
        };
        if text == "loopback" {
            return Ok(Self::Loopback);
        }
        let mut parts = text.split('/');
        let rate = parts.next().and_then(parse_rate).ok_or_else(bad)?;
        let mtu = parts.next().and_then(|mtu| mtu.parse().ok()).ok_or_else(bad)?;
        let offload = match (parts.next(), parts.next()) {
            (None, _) => false,
            (Some("offload"), None) => true,
            _ => return Err(bad()),
        };
        let sane = (MIN_RATE..=MAX_RATE).contains(&rate) && (MIN_MTU..=MAX_MTU).contains(&mtu);
        if sane { Ok(Self::Shaped { rate, mtu, offload }) } else { Err(bad()) }
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Loopback => write!(f, "loopback"),
            Self::Shaped { rate, mtu, offload } => {
                write!(f, "{}/{mtu}{}", text_of_rate(rate), if offload { "/offload" } else { "" })
            }
        }
    }
}

/// Reads a whole rate in decimal units: `100M`, `10G`.
fn parse_rate(text: &str) -> Option<u64> {
    let (digits, unit) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1_000),
        'm' | 'M' => (&text[..text.len() - 1], 1_000_000),
        'g' | 'G' => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn text_of_rate(rate: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let unit = units.iter().find(|(unit, _)| rate.is_multiple_of(*unit));
    unit.map_or_else(|| rate.to_string(), |(unit, name)| format!("{}{name}", rate / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_shown_alike() {
        for text in ["loopback", "10G/9000", "100M/1500/offload", "2500k/1500", "1000001/68"] {
            assert_eq!(text.parse::<LinkSpec>().unwrap().to_string(), text);
        }
        for bad in
            ["", "10G", "10G/", "1k/1500", "10G/9000/x", "10G/9000/offload/x", "10G/67", "é/1", "2000G/1500"]
        {
            assert!(bad.parse::<LinkSpec>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_fast_path_of_small_frames_is_warned_of() {
        let warning = |text: &str| text.parse::<LinkSpec>().unwrap().warning();
        assert!(warning("10G/1500").unwrap().contains("mtu 9000"));
        for good in ["10G/9000", "1G/1500", "loopback"] {
            assert_eq!(warning(good), None);
        }
    }
}
