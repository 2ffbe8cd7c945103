//! The way to another host.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ffi::link::{LinkSpec, path_mtu};

use super::{Finding, Verdict};
use crate::migrate::quoted;
use crate::settings::{RECEIVER, Settings, Values};

/// The usual MTU of Ethernet; less costs packets.
const ETHERNET: u32 = 1500;
/// What a socket may buffer for a link of 10 Gbit/s and 2 ms: 10e9 / 8 * 0.002, rounded up.
const BUFFER: u64 = 4 << 20;
/// How long a login may take.
const LOGIN_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn look(host: &str) -> Vec<Finding> {
    let mut findings = buffers();
    match host.parse() {
        Ok(LinkSpec::Tcp { host, .. }) => {
            findings.extend(route(&host));
            findings.push(Finding::new(
                "receiver",
                Verdict::Absent,
                "not asked: it takes one connection, and that is for the guest",
                "",
            ));
        }
        _ => {
            let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
            findings.extend(route(name));
            findings.push(receiver(host));
        }
    }
    findings
}

/// The largest buffers that the kernel gives a TCP socket by itself.
fn buffers() -> Vec<Finding> {
    const WHAT: &str = "socket buffers";
    let largest = |file: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{file}")).ok()?;
        text.split_whitespace().nth(2)?.parse::<u64>().ok()
    };
    ["tcp_wmem", "tcp_rmem"]
        .into_iter()
        .filter_map(|file| {
            let most = largest(file)?;
            let found = format!("net.ipv4.{file} allows {most} bytes");
            Some(if most < BUFFER {
                Finding::new(WHAT, Verdict::Poor, found, "raise its last number to 4194304 for 10 Gbit/s")
            } else {
                Finding::good(WHAT, found)
            })
        })
        .collect()
}

fn route(host: &str) -> Vec<Finding> {
    const NAME: &str = "name";
    const ROUTE: &str = "route";
    let address = match (host, 0).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(address)) => address.ip(),
        Ok(None) => {
            return vec![Finding::new(NAME, Verdict::Bad, format!("{host} has no address"), "correct it")];
        }
        Err(error) => {
            let remedy = "correct the name, or add it to /etc/hosts; ssh may know it by another name";
            return vec![Finding::new(NAME, Verdict::Poor, format!("{host}: {error}"), remedy)];
        }
    };
    let mut findings = vec![Finding::good(NAME, format!("{host} is {address}"))];
    findings.push(match path_mtu(address) {
        Ok((from, mtu)) => way(address, from, mtu),
        Err(error) => Finding::new(ROUTE, Verdict::Bad, error.to_string(), "see `ip route get`"),
    });
    findings
}

fn way(to: IpAddr, from: IpAddr, mtu: u32) -> Finding {
    const ROUTE: &str = "route";
    let found = format!("{from} -> {to}, MTU {mtu}");
    if mtu < ETHERNET {
        return Finding::new(ROUTE, Verdict::Poor, found, "a smaller MTU than Ethernet's costs throughput");
    }
    Finding::good(ROUTE, found)
}

/// Whether the receiver can be started there, and of which version it is.
fn receiver(host: &str) -> Finding {
    const WHAT: &str = "receiver";
    const REMEDY: &str = "install this package there, and let ssh log in without a question";
    // Wrong settings have a finding of their own.
    let values = Values::load(Vec::new()).unwrap_or_else(|_| Values::defaults());
    let Settings { ssh, receiver, .. } = Settings::from(&values);
    if !receiver.ends_with(RECEIVER.default) {
        return Finding::new(WHAT, Verdict::Absent, format!("not asked: `{receiver}` is none of ours"), "");
    }
    let command = format!("exec {ssh} {} {receiver} --version", quoted(host));
    let ours = env!("CARGO_PKG_VERSION");
    match answer(&command) {
        Ok(text) if text.split_whitespace().last() == Some(ours) => {
            Finding::good(WHAT, format!("{} there, as here", text.trim()))
        }
        Ok(text) if text.starts_with(RECEIVER.default) => Finding::new(
            WHAT,
            Verdict::Poor,
            format!("{} there, {ours} here", text.trim()),
            "both sides should be of one version",
        ),
        Ok(text) => Finding::new(WHAT, Verdict::Bad, format!("{command}: it said {:?}", text.trim()), REMEDY),
        Err(why) => Finding::new(WHAT, Verdict::Bad, format!("{command}: {why}"), REMEDY),
    }
}

fn answer(command: &str) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + LOGIN_WITHIN;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(LOOK),
            None => {
                // It may have ended just now.
                let _ = child.kill().and_then(|()| child.wait().map(drop));
                return Err(format!("no answer within {LOGIN_WITHIN:?}"));
            }
        }
    };
    if !status.success() {
        return Err(status.to_string());
    }
    /// Enough for a version.
    const MOST: u64 = 4096;
    let mut text = String::new();
    let read = child.stdout.take().map(|output| output.take(MOST).read_to_string(&mut text));
    read.transpose().map_err(|error| error.to_string())?;
    Ok(text)
}
