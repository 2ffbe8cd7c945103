//! The network between source and target.

use std::process::Command;
use std::time::Duration;

use ffi::link::{Sent, sent_by};
use serde::{Deserialize, Serialize};

use super::{LinkSpec, NetNs, set_kernel, tool};
use crate::Error;

/// The interface in each of the two namespaces.
const DEVICE: &str = "xc0";
/// The source's address.
const SOURCE: &str = "10.213.0.1";
/// The target's address.
const TARGET: &str = "10.213.0.2";
/// The length of their network's prefix: it has two addresses.
const PREFIX: u32 = 30;
/// How long the shaper may send above its rate. Much longer, and a round of a few pages would see no shaper at all;
/// much shorter, and its timer is too coarse for 10 Gbit/s.
pub(crate) const BURST: Duration = Duration::from_millis(1);
/// How long a frame may wait in the shaper's queue before it is dropped.
const LATENCY: Duration = Duration::from_millis(20);
/// Bits in a byte.
const BITS: u64 = 8;
/// The Ethernet header, which the shaper counts, bytes.
const HEADER: u32 = 14;
/// Frames that the shaper's bucket holds at least: a single one does not keep a link busy.
const MIN_FRAMES: u64 = 4;

/// How TCP avoids congestion on a shaped link, whatever the machine is set to: the one that every kernel
/// lets every namespace have. A pacing one such as BBR would hold back by itself what the shaper is there to hold back.
const CONGESTION_CONTROL: &str = "reno";

/// How large socket buffers may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// The round-trip time they are made for, microseconds.
    pub rtt_us: u64,
    /// What the path holds at its rate in that time, bytes.
    pub bandwidth_delay: u64,
    /// The limit of both buffers, bytes.
    pub limit: u64,
}

impl Buffers {
    /// What both ends have room for at least, bytes: a few jumbo segments with the kernel's own overhead.
    const MIN: u64 = 256 << 10;

    /// For a link and its round-trip time: twice the bandwidth-delay product, because the kernel counts its overhead too.
    #[must_use]
    pub fn of(rate: u64, rtt: Duration) -> Self {
        let rtt_us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        let bits = u128::from(rate) * rtt.as_nanos() / 1_000_000_000;
        let bandwidth_delay = u64::try_from(bits).unwrap_or(u64::MAX) / BITS;
        Self { rtt_us, bandwidth_delay, limit: (2 * bandwidth_delay).max(Self::MIN) }
    }

    /// Sets them as the limits of this thread's namespace; the kernel still finds the size itself.
    fn set(self) -> Result<(), Error> {
        let Self { limit, .. } = self;
        let start = limit.min(Self::MIN / 2);
        set_kernel("/proc/sys/net/ipv4/tcp_rmem", &format!("4096 {start} {limit}"))?;
        set_kernel("/proc/sys/net/ipv4/tcp_wmem", &format!("4096 {start} {limit}"))
    }
}

/// Where source and target run.
#[derive(Debug)]
pub struct Network {
    /// The source's namespace.
    pub source: NetNs,
    /// The target's namespace.
    pub target: NetNs,
    /// The target's address.
    pub address: &'static str,
    /// The limits of the sockets, if the bed sets them.
    pub buffers: Option<Buffers>,
    /// The interface that leads from source to target.
    pub device: &'static str,
}

impl Network {
    /// Makes the link. `rtt` is the round-trip time that the socket buffers of a shaped link are made for.
    ///
    /// # Errors
    /// When a namespace, an interface or a shaper cannot be had.
    pub fn new(spec: LinkSpec, rtt: Duration) -> Result<Self, Error> {
        let LinkSpec::Shaped { rate, mtu, offload } = spec else { return Self::loopback() };
        let buffers = Buffers::of(rate, rtt);
        let network = Self {
            source: NetNs::new()?,
            target: NetNs::new()?,
            address: TARGET,
            buffers: Some(buffers),
            device: DEVICE,
        };
        network.connect(mtu)?;
        for (namespace, address) in [(&network.source, SOURCE), (&network.target, TARGET)] {
            namespace.inside(|| {
                set_kernel("/proc/sys/net/ipv4/tcp_congestion_control", CONGESTION_CONTROL)?;
                buffers.set()?;
                shape(rate, mtu, offload)?;
                bring_up(address)
            })?;
        }
        Ok(network)
    }

    fn loopback() -> Result<Self, Error> {
        Ok(Self {
            source: NetNs::of_this_thread()?,
            target: NetNs::of_this_thread()?,
            address: "127.0.0.1",
            buffers: None,
            device: "lo",
        })
    }

    fn connect(&self, mtu: u32) -> Result<(), Error> {
        let (target, mtu) = (self.target.path(), mtu.to_string());
        self.source.inside(|| {
            let mut ip = Command::new("ip");
            ip.args(["link", "add", DEVICE, "mtu", &mtu, "type", "veth"]);
            ip.args(["peer", "name", DEVICE, "mtu", &mtu, "netns", &target]);
            tool(&mut ip).map(drop)
        })
    }

    /// What the source's interface has sent so far.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn sent(&self) -> Result<Sent, Error> {
        self.source.inside(|| {
            sent_by(self.device)
                .map_err(|cause| Error::io(format!("ask what {} has sent", self.device), cause))
        })
    }
}

/// Holds the interface to a rate.
fn shape(rate: u64, mtu: u32, offload: bool) -> Result<(), Error> {
    if !offload {
        tool(Command::new("ip").args(["link", "set", "dev", DEVICE, "gso_max_segs", "1"]))?;
    }
    let frames = MIN_FRAMES * u64::from(mtu + HEADER);
    let burst = (u64::try_from(u128::from(rate) * BURST.as_micros() / 1_000_000).unwrap_or(u64::MAX) / BITS)
        .max(frames);
    let mut tc = Command::new("tc");
    tc.args(["qdisc", "add", "dev", DEVICE, "root", "tbf", "rate", &format!("{rate}bit")]);
    tc.args(["burst", &format!("{burst}b"), "latency", &format!("{}us", LATENCY.as_micros())]);
    tool(&mut tc).map(drop)
}

fn bring_up(address: &str) -> Result<(), Error> {
    tool(Command::new("ip").args(["address", "add", &format!("{address}/{PREFIX}"), "dev", DEVICE]))?;
    tool(Command::new("ip").args(["link", "set", "dev", DEVICE, "up"])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_follow_the_bandwidth_delay_product() {
        let buffers = Buffers::of(10_000_000_000, Duration::from_millis(1));
        assert_eq!((buffers.bandwidth_delay, buffers.limit), (1_250_000, 2_500_000));
        let slow = Buffers::of(100_000_000, Duration::from_micros(100));
        assert_eq!((slow.bandwidth_delay, slow.limit), (1250, Buffers::MIN));
    }
}
