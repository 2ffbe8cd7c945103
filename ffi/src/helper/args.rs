//! The command line that libxl starts a helper with.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::str::FromStr;

use super::Error;

/// What the helper's `--help` says.
pub const USAGE: &str = "\
libxl starts this program; it is of no use by hand. To have xl use it:
    LIBXL_SAVE_HELPER=/path/to/libxl-save-helper xl migrate DOMAIN HOST

usage: libxl-save-helper --save-domain STREAM_FD BACK_FD DOMID FLAGS CALLBACKS STREAM_TYPE
       libxl-save-helper --restore-domain STREAM_FD BACK_FD DOMID STORE_PORT STORE_DOMID
                         CONSOLE_PORT CONSOLE_DOMID CALLBACKS STREAM_TYPE
       libxl-save-helper --check      says which Xen runs here, if this program can work on it
       libxl-save-helper --version | --help
";

/// `DOMID_FIRST_RESERVED` of `xen.h`: ids from here on name no ordinary domain.
const FIRST_RESERVED_DOMID: u32 = 0x7ff0;
/// `XCFLAGS_LIVE` of `xenguest.h`.
const LIVE: u32 = 1;
/// `XCFLAGS_DEBUG` of `xenguest.h`.
const DEBUG: u32 = 2;

/// What libxl, or a curious user, wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Save a domain.
    Save(SaveArgs),
    /// Restore a domain.
    Restore(RestoreArgs),
    /// A checkpointed stream (Remus, COLO), whichever way: for the stock helper.
    Stock,
    /// `--guard DOMID`: what a helper starts beside itself.
    Guard(u32),
    /// `--check`: whether this machine's Xen is one that the helper can work on.
    Check,
    /// `--version`.
    Version,
    /// `--help`.
    Help,
}

/// How to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveArgs {
    /// Where the stream goes. libxl wrote to it before and will write to it after.
    pub stream_fd: RawFd,
    /// The domain.
    pub domid: u32,
    /// With a pre-copy.
    pub live: bool,
    /// Send every page once more, for the target to compare (`xl migrate --debug`).
    pub debug: bool,
    /// What libxl will answer.
    pub callbacks: Callbacks,
}

/// How to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreArgs {
    /// Where the stream comes from. libxl will read on behind the stream's last byte.
    pub stream_fd: RawFd,
    /// The domain: made by libxl, paused, and without memory.
    pub domid: u32,
    /// Of its xenstore ring.
    pub store: RingPort,
    /// Of its console ring.
    pub console: RingPort,
    /// What libxl will answer.
    pub callbacks: Callbacks,
}

/// The event channel of a ring that the domain shares with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPort {
    /// The domain's own port.
    pub port: u32,
    /// The domain in which the service runs.
    pub domid: u32,
}

/// The messages for which libxl has a callback; it would follow a null pointer on any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callbacks(
    /// Bit `n` stands for message number `n`.
    pub u32,
);

impl Callbacks {
    /// Whether libxl has a callback for this message number.
    #[must_use]
    pub fn has(self, number: u16) -> bool {
        self.0.checked_shr(number.into()).is_some_and(|bits| bits & 1 == 1)
    }
}

impl Invocation {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// [`Error::Usage`], [`Error::Count`] or [`Error::Argument`].
    pub fn parse(args: &[OsString]) -> Result<Self, Error> {
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match args.as_slice() {
            ["--check"] => Ok(Self::Check),
            ["--version"] => Ok(Self::Version),
            ["--help"] => Ok(Self::Help),
            ["--guard", domid] => Ok(Self::Guard(domain("DOMID", domid)?)),
            ["--save-domain", rest @ ..] => parse_save(rest),
            ["--restore-domain", rest @ ..] => parse_restore(rest),
            _ => Err(Error::Usage),
        }
    }
}

fn parse_save(args: &[&str]) -> Result<Invocation, Error> {
    let &[stream_fd, back_fd, domid, flags, callbacks, stream_type] = args else {
        return Err(Error::Count { option: "--save-domain", wanted: 6, given: args.len() });
    };
    let flags = save_flags(flags)?;
    let save = SaveArgs {
        stream_fd: descriptor(stream_fd)?,
        domid: domain("DOMID", domid)?,
        live: flags & LIVE != 0,
        debug: flags & DEBUG != 0,
        callbacks: Callbacks(number("CALLBACKS", callbacks)?),
    };
    back_channel(back_fd)?;
    Ok(if is_plain(stream_type)? { Invocation::Save(save) } else { Invocation::Stock })
}

fn parse_restore(args: &[&str]) -> Result<Invocation, Error> {
    let &[stream_fd, back_fd, domid, store, store_domid, console, console_domid, callbacks, stream_type] =
        args
    else {
        return Err(Error::Count { option: "--restore-domain", wanted: 9, given: args.len() });
    };
    let restore = RestoreArgs {
        stream_fd: descriptor(stream_fd)?,
        domid: domain("DOMID", domid)?,
        store: RingPort { port: number("STORE_PORT", store)?, domid: domain("STORE_DOMID", store_domid)? },
        console: RingPort {
            port: number("CONSOLE_PORT", console)?,
            domid: domain("CONSOLE_DOMID", console_domid)?,
        },
        callbacks: Callbacks(number("CALLBACKS", callbacks)?),
    };
    back_channel(back_fd)?;
    Ok(if is_plain(stream_type)? { Invocation::Restore(restore) } else { Invocation::Stock })
}

fn save_flags(value: &str) -> Result<u32, Error> {
    let flags = number("FLAGS", value)?;
    if flags & !(LIVE | DEBUG) == 0 {
        return Ok(flags);
    }
    Err(bad("FLAGS", value, "a sum of 1 (live) and 2 (debug)"))
}

fn descriptor(value: &str) -> Result<RawFd, Error> {
    let fd = value.parse().ok().filter(|&fd: &RawFd| fd >= 0);
    fd.ok_or_else(|| bad("STREAM_FD", value, "the number of a descriptor"))
}

/// Only COLO uses the back channel. On a plain save libxl passes a copy of its own standard input here.
fn back_channel(value: &str) -> Result<(), Error> {
    let known = value.parse::<RawFd>().map(|_| ());
    known.map_err(|_| bad("BACK_FD", value, "the number of a descriptor, or -1"))
}

fn domain(name: &'static str, value: &str) -> Result<u32, Error> {
    let domid = value.parse().ok().filter(|&domid: &u32| domid < FIRST_RESERVED_DOMID);
    domid.ok_or_else(|| bad(name, value, "a domain id below 32752"))
}

/// Remus is 1 and COLO is 2.
fn is_plain(value: &str) -> Result<bool, Error> {
    match value {
        "0" => Ok(true),
        "1" | "2" => Ok(false),
        _ => Err(bad("STREAM_TYPE", value, "0 (plain), 1 (Remus) or 2 (COLO)")),
    }
}

fn number<T: FromStr>(name: &'static str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| bad(name, value, "a number below 4294967296"))
}

fn bad(name: &'static str, value: &str, expected: &'static str) -> Error {
    Error::Argument { name, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, Error> {
        Invocation::parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_libxl_passes() {
        let save = SaveArgs { stream_fd: 15, domid: 2, live: true, debug: false, callbacks: Callbacks(136) };
        assert_eq!(parse("--save-domain 15 11 2 1 136 0").unwrap(), Invocation::Save(save));
        assert_eq!(
            parse("--save-domain 14 -1 2 2 136 0").unwrap(),
            Invocation::Save(SaveArgs { stream_fd: 14, live: false, debug: true, ..save })
        );
        let restore = RestoreArgs {
            stream_fd: 12,
            domid: 2,
            store: RingPort { port: 1, domid: 0 },
            console: RingPort { port: 2, domid: 3 },
            callbacks: Callbacks(768),
        };
        assert_eq!(parse("--restore-domain 12 -1 2 1 0 2 3 768 0").unwrap(), Invocation::Restore(restore));
    }

    #[test]
    fn remus_and_colo_are_handed_over() {
        for line in [
            "--save-domain 15 11 2 1 184 1",
            "--save-domain 15 11 2 1 248 2",
            "--restore-domain 12 20 2 1 0 2 0 800 1",
            "--restore-domain 12 20 2 1 0 2 0 888 2",
        ] {
            assert_eq!(parse(line).unwrap(), Invocation::Stock, "{line}");
        }
    }

    #[test]
    fn whatever_else_is_told_what_is_wrong() {
        for (line, fault) in [
            ("", "--help"),
            ("--version now", "--help"),
            ("--save-domain 15 11 2 1 136", "--save-domain takes 6 arguments, not 5"),
            ("--restore-domain 12 -1 2 1 0 2 0 768 0 0", "--restore-domain takes 9 arguments, not 10"),
            ("--save-domain -1 11 2 1 136 0", "STREAM_FD \"-1\" is not the number of a descriptor"),
            ("--save-domain 15 x 2 1 136 0", "BACK_FD \"x\" is not"),
            ("--save-domain 15 11 32752 1 136 0", "DOMID \"32752\" is not a domain id below 32752"),
            ("--save-domain 15 11 2 4 136 0", "FLAGS \"4\" is not a sum of"),
            ("--save-domain 15 11 2 1 4294967296 0", "CALLBACKS \"4294967296\" is not a number below"),
            ("--save-domain 15 11 2 1 136 3", "STREAM_TYPE \"3\" is not 0 (plain)"),
            ("--restore-domain 12 -1 2 1 99999 2 0 768 0", "STORE_DOMID \"99999\" is not"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(fault), "{line}: {error}");
        }
    }

    #[test]
    fn a_bit_a_callback() {
        let callbacks = Callbacks(0x88);
        let offered: Vec<u16> = (0..100).filter(|&number| callbacks.has(number)).collect();
        assert_eq!(offered, [3, 7]);
    }
}
