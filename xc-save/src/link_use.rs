//! How busy the interface is that a migration goes through: what a bandwidth policy calls free.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ffi::link::{Interface, LinkSpec};
use policy::LinkUse;
use policy::bandwidth::Meter;

use crate::job::{Destination, Job};

/// How long a look at the counters is: shorter, and a burst of a few frames looks like a busy link.
const WINDOW: Duration = Duration::from_millis(500);
/// The same before the migration, when nobody else waits for it.
const FIRST: Duration = Duration::from_millis(200);
/// The headers of TCP with its timestamps (RFC 9293, RFC 7323) and of IPv4 (RFC 791), bytes.
const HEADERS: f64 = 20.0 + 12.0 + 20.0;
/// The Ethernet header, which interfaces count, bytes.
const ETHERNET: f64 = 14.0;
/// Bits in a byte.
const BITS: f64 = 8.0;

/// The interface through which the job's link goes, if it goes through one that can be told.
pub(crate) fn interface(job: &Job) -> Option<Interface> {
    Interface::towards(address(&job.to)?).ok()
}

fn address(to: &Destination) -> Option<IpAddr> {
    let host = match to {
        Destination::Link(LinkSpec::Tcp { host, .. }) => host,
        Destination::Link(_) => return None,
        Destination::Command { host, .. } => host.rsplit_once('@').map_or(host.as_str(), |(_, name)| name),
    };
    // A shell command in the place of a host is no name.
    if host.contains(char::is_whitespace) {
        return None;
    }
    (host, 0).to_socket_addrs().ok()?.next().map(|address| address.ip())
}

/// Watches that interface; `own` counts what the migration itself sends. `None` when the speed of the link is not known:
/// neither `--link-rate` nor the interface's driver says it.
pub(crate) fn meter(job: &Job, own: Arc<AtomicU64>) -> Option<Meter> {
    let interface = interface(job)?;
    let total = job.settings.link_rate.or_else(|| interface.speed())?;
    tracing::info!("the link goes through {}, {total} bit/s", interface.name());
    let overhead = overhead(interface.mtu());
    let look = move || {
        let (at, own) = (Instant::now(), own.load(Ordering::Relaxed));
        interface.sent().ok().map(|sent| Sample { at, all: sent.bytes, own })
    };
    let before = look()?;
    thread::sleep(FIRST);
    let mut counters = Counters { overhead, before, used: 0.0 };
    counters.add(look()?);
    Some(Box::new(move || {
        if counters.before.at.elapsed() >= WINDOW {
            counters.add(look()?);
        }
        Some(LinkUse { total, used: counters.used })
    }))
}

/// What the counters said at a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    /// Bytes that everybody sent, headers included.
    all: u64,
    /// Bytes of the stream.
    own: u64,
}

struct Counters {
    overhead: f64,
    before: Sample,
    /// What others send, bit/s.
    used: f64,
}

impl Counters {
    fn add(&mut self, now: Sample) {
        let all = now.all.saturating_sub(self.before.all) as f64;
        let own = now.own.saturating_sub(self.before.own) as f64 * self.overhead;
        let seconds = (now.at - self.before.at).as_secs_f64();
        self.used = ((all - own) * BITS / seconds.max(f64::EPSILON)).max(0.0);
        self.before = now;
    }
}

/// Bytes on the interface for a byte of the stream.
fn overhead(mtu: u32) -> f64 {
    let mtu = f64::from(mtu);
    if mtu > HEADERS { (mtu + ETHERNET) / (mtu - HEADERS) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_send_is_all_without_our_own_and_its_headers() {
        let start = Instant::now();
        let sample = |ms, all, own| Sample { at: start + Duration::from_millis(ms), all, own };
        let mut counters = Counters { overhead: overhead(1500), before: sample(0, 1000, 0), used: 0.0 };
        // A thousand full frames of ours, and 1 MB of others, in half a second.
        counters.add(sample(500, 1000 + 1_514_000 + 1_000_000, 1_448_000));
        assert!((counters.used / 16e6 - 1.0).abs() < 1e-9, "{}", counters.used);
        // Ours alone, in larger frames than the MTU says: never negative.
        counters.add(sample(1000, 1000 + 1_514_000 + 2_400_000, 1_448_000 + 1_448_000));
        assert_eq!(counters.used, 0.0);
    }

    #[test]
    fn only_what_has_an_address_has_an_interface() {
        let to = |link: &str| address(&Destination::Link(link.parse().unwrap()));
        assert_eq!(to("tcp://127.0.0.1:7"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(to("/tmp/file"), None);
        let command =
            |host: &str| address(&Destination::Command { host: host.into(), command: String::new() });
        assert_eq!(command("root@127.0.0.1"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(command("xc-migrate-receive -p"), None);
    }
}
