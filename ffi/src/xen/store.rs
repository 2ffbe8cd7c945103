//! xenstored, the toolstack's and the guests' common notes.

use std::env;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use byteorder::{ByteOrder, NativeEndian};
use xenstore_rs::Xs;
use xenstore_rs::unix::XsUnix;

use super::Error;

/// Overrides the daemon's socket, for Xen's own tools too.
const SOCKET_VARIABLE: &str = "XENSTORED_PATH";
/// Where the daemon listens.
const SOCKET: &str = "/run/xenstored/socket";
/// The way to a daemon in another domain.
const DEVICE: &str = "/dev/xen/xenbus";
/// `XS_RESUME` (`xs_wire.h`).
const RESUME: u32 = 18;
/// `struct xsd_sockmsg`: type, request, transaction, length of what follows.
const HEADER_LEN: usize = 16;

/// A connection to xenstored.
pub(super) struct Store(XsUnix);

impl Store {
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self(XsUnix::new().map_err(|cause| Error::NoXen { device: DEVICE, cause })?))
    }

    /// What is at `path`; `None` when there is no such node.
    pub(super) fn read(&self, path: &str) -> Result<Option<String>, Error> {
        match self.0.read(path) {
            Ok(value) => Ok(Some(value.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(failed("read", path, cause)),
        }
    }

    pub(super) fn write(&self, path: &str, value: &str) -> Result<(), Error> {
        self.0.write(path, value).map_err(|cause| failed("write", path, cause))
    }

    /// Says that a suspended domain runs again; without it nobody hears of its next shutdown.
    pub(super) fn announce_resume(domid: u32) -> Result<(), Error> {
        resume(domid).map_err(|cause| Error::Call { call: "telling xenstored of the resume", domid, cause })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

fn failed(action: &'static str, path: &str, cause: io::Error) -> Error {
    Error::Store { action, path: path.to_owned(), cause }
}

/// The one request that xenstore-rs lacks.
fn resume(domid: u32) -> io::Result<()> {
    let socket = env::var_os(SOCKET_VARIABLE).unwrap_or_else(|| SOCKET.into());
    match UnixStream::connect(socket) {
        Ok(daemon) => request_resume(daemon, domid),
        Err(_) => request_resume(OpenOptions::new().read(true).write(true).open(DEVICE)?, domid),
    }
}

fn request_resume(mut daemon: impl Read + Write, domid: u32) -> io::Result<()> {
    let body = format!("{domid}\0");
    let mut message = [0; HEADER_LEN].to_vec();
    NativeEndian::write_u32(&mut message, RESUME);
    NativeEndian::write_u32(&mut message[HEADER_LEN - 4..], u32::try_from(body.len()).unwrap_or(0));
    message.extend_from_slice(body.as_bytes());
    // At one go, for the device takes a message only whole.
    daemon.write_all(&message)?;
    let mut answer = [0; HEADER_LEN];
    daemon.read_exact(&mut answer)?;
    match NativeEndian::read_u32(&answer) {
        RESUME => Ok(()),
        other => Err(io::Error::other(format!("it answers with a message of type {other}"))),
    }
}
