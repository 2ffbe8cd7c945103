//! The network interface that a link goes through, and what the kernel counts on it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use serde::{Deserialize, Serialize};

use super::path_mtu;

/// Bits in a megabit.
const MEGABIT: f64 = 1e6;

/// A network interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    name: String,
    mtu: u32,
}

impl Interface {
    /// The one through which this machine reaches that one. Nothing is sent.
    ///
    /// # Errors
    /// When there is no route, or no interface has the address that this machine would send from.
    pub fn towards(to: IpAddr) -> io::Result<Self> {
        let (from, mtu) = path_mtu(to)?;
        // What goes to an address of this machine's own never gets to the card that has the address.
        let name = if from == to { Some("lo".to_owned()) } else { with_address(from)? };
        name.map(|name| Self { name, mtu })
            .ok_or_else(|| io::Error::other(format!("no interface has {from}")))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest packet that goes there, bytes.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.mtu
    }

    /// How fast it is, bit/s; `None` where its driver does not say.
    #[must_use]
    pub fn speed(&self) -> Option<f64> {
        let text = fs::read_to_string(self.file("speed")).ok()?;
        text.trim().parse().ok().filter(|megabits: &f64| *megabits > 0.0).map(|megabits| megabits * MEGABIT)
    }

    /// What it has sent, of everybody.
    ///
    /// # Errors
    /// When it is gone.
    pub fn sent(&self) -> io::Result<Sent> {
        sent_by(&self.name)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from("/sys/class/net").join(&self.name).join(name)
    }
}

/// What an interface has sent, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Bytes of frames.
    pub bytes: u64,
    /// Frames, as many as the interface saw.
    pub frames: u64,
}

/// What the interface of this name has sent, in the network namespace of this thread: in `/sys` there is the one in
/// which it was mounted.
///
/// # Errors
/// When there is no such interface.
pub fn sent_by(interface: &str) -> io::Result<Sent> {
    let text = fs::read_to_string("/proc/thread-self/net/dev")?;
    read_sent(&text, interface)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {interface}")))
}

/// Finds an interface in `/proc/net/dev`.
fn read_sent(text: &str, interface: &str) -> Option<Sent> {
    /// The columns of what was sent, counted behind the name: bytes, packets.
    const SENT: usize = 8;
    let line = text.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    let mut sent = line.split_whitespace().skip(SENT).map(str::parse);
    Some(Sent { bytes: sent.next()?.ok()?, frames: sent.next()?.ok()? })
}

fn with_address(address: IpAddr) -> io::Result<Option<String>> {
    let is = |found: SockaddrStorage| match address {
        IpAddr::V4(address) => found.as_sockaddr_in().is_some_and(|found| found.ip() == address),
        IpAddr::V6(address) => found.as_sockaddr_in6().is_some_and(|found| found.ip() == address),
    };
    let found = getifaddrs()?.find(|interface| interface.address.is_some_and(is));
    Ok(found.map(|interface| interface.interface_name))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    #[test]
    fn the_loopback_counts_what_is_sent_and_has_no_speed() {
        let loopback = Interface::towards(Ipv4Addr::LOCALHOST.into()).unwrap();
        assert_eq!(loopback.name(), "lo");
        assert!(loopback.mtu() > 1500 && loopback.speed().is_none());
        let before = loopback.sent().unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        let after = loopback.sent().unwrap();
        assert!(after.bytes >= before.bytes + 1000 && after.frames > before.frames, "{before:?} {after:?}");
    }

    #[test]
    fn an_interface_is_found_by_its_whole_name() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets\n\
                    xc01: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  xc0: 1 2 0 0 0 0 0 0 3000 4 0 0 0 0 0 0\n";
        assert_eq!(read_sent(text, "xc0"), Some(Sent { bytes: 3000, frames: 4 }));
        assert_eq!(read_sent(text, "lo"), None);
    }

    #[test]
    fn an_interface_is_found_by_its_address() {
        let found = getifaddrs().unwrap().filter_map(|interface| {
            Some((interface.address?.as_sockaddr_in()?.ip(), interface.interface_name))
        });
        for (address, name) in found {
            assert_eq!(with_address(address.into()).unwrap(), Some(name));
        }
        assert_eq!(with_address(Ipv4Addr::new(192, 0, 2, 1).into()).unwrap(), None);
    }
}
