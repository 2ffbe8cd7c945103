//! How a user names a link.

use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::str::FromStr;

use super::Error;

/// A link by name. Displays as it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSpec {
    /// A path. One that looks like another form is written with a leading `./`.
    File(PathBuf),
    /// `-`: standard output or standard input. Never duplex, even where the shell made both one socket.
    Stdio,
    /// `fd:N`: a descriptor that this process was started with.
    Fd(RawFd),
    /// `tcp://HOST:PORT`, an IPv6 address in brackets.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port; 0 lets a listener have any.
        port: u16,
    },
    /// `unix:PATH`: a stream socket in the file system.
    Unix(PathBuf),
}

impl FromStr for LinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|fault| Error::Spec { text: text.to_owned(), fault })
    }
}

fn parse(text: &str) -> Result<LinkSpec, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text == "-" {
        return Ok(LinkSpec::Stdio);
    }
    if let Some(number) = text.strip_prefix("fd:") {
        let fd = number.parse().ok().filter(|&fd: &RawFd| fd >= 0);
        return fd.map(LinkSpec::Fd).ok_or("no descriptor number after fd:");
    }
    if let Some(address) = text.strip_prefix("tcp://") {
        return parse_tcp(address);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.is_empty() { Err("no path after unix:") } else { Ok(LinkSpec::Unix(path.into())) };
    }
    if text.contains("://") || text.starts_with("tcp:") {
        return Err("no such scheme");
    }
    Ok(LinkSpec::File(text.into()))
}

fn parse_tcp(address: &str) -> Result<LinkSpec, &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("no port")?;
    let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(v6) => v6,
        None if host.contains([':', '[', ']']) => return Err("an IPv6 address needs brackets"),
        None => host,
    };
    if host.is_empty() {
        return Err("no host");
    }
    let port = port.parse().map_err(|_| "the port is not a number below 65536")?;
    Ok(LinkSpec::Tcp { host: host.to_owned(), port })
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdio => write!(f, "-"),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_shown_alike() {
        let tcp = |host: &str, port| LinkSpec::Tcp { host: host.to_owned(), port };
        for (text, spec) in [
            ("-", LinkSpec::Stdio),
            ("fd:5", LinkSpec::Fd(5)),
            ("tcp://web.example:7000", tcp("web.example", 7000)),
            ("tcp://127.0.0.1:0", tcp("127.0.0.1", 0)),
            ("tcp://[::1]:7000", tcp("::1", 7000)),
            ("unix:/run/x.sock", LinkSpec::Unix("/run/x.sock".into())),
            ("web.img", LinkSpec::File("web.img".into())),
            ("./fd:5", LinkSpec::File("./fd:5".into())),
            ("/a:b", LinkSpec::File("/a:b".into())),
        ] {
            assert_eq!(text.parse::<LinkSpec>().unwrap(), spec);
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_link_is_told_the_forms() {
        for text in [
            "",
            "fd:",
            "fd:-1",
            "fd:x",
            "fd:99999999999",
            "tcp://host",
            "tcp://:7000",
            "tcp://[]:7000",
            "tcp://::1:7000",
            "tcp://host:65536",
            "tcp:host:1",
            "unix:",
            "ssh://host",
        ] {
            let error = text.parse::<LinkSpec>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?} is not a link")), "{error}");
            assert!(error.contains("a file, -, fd:N, tcp://HOST:PORT or unix:PATH"), "{error}");
        }
    }
}
