//! The network interface that a link goes through, and what the kernel counts on it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

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

    /// Bytes that it has sent, of everybody.
    ///
    /// # Errors
    /// When it is gone.
    pub fn sent(&self) -> io::Result<u64> {
        let text = fs::read_to_string(self.file("statistics/tx_bytes"))?;
        text.trim().parse().map_err(io::Error::other)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from("/sys/class/net").join(&self.name).join(name)
    }
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
        assert!(loopback.sent().unwrap() >= before + 1000);
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
