//! Speaking QMP, QEMU's monitor protocol: JSON lines over a unix socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Error;

/// How long QEMU may take to open its socket.
const START: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How often its socket is tried.
const LOOK: Duration = Duration::from_millis(10);

/// A connection to one QEMU.
#[derive(Debug)]
pub(super) struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// Connects as soon as the socket is there, and greets.
    pub(super) fn connect(path: &Path) -> Result<Self, Error> {
        let deadline = Instant::now() + START;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(cause) if Instant::now() > deadline => return Err(Error::io("connect to QEMU", cause)),
                Err(_) => thread::sleep(LOOK),
            }
        };
        stream.set_read_timeout(Some(ANSWER)).map_err(|cause| Error::io("set a timeout for QEMU", cause))?;
        let mut qmp = Self(BufReader::new(stream));
        qmp.line()?;
        qmp.call("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Runs a command; returns its result. Events that come meanwhile are passed over.
    pub(super) fn call(&mut self, command: &str, arguments: &Value) -> Result<Value, Error> {
        let mut text = json!({ "execute": command, "arguments": arguments }).to_string();
        text.push('\n');
        let sent = self.0.get_mut().write_all(text.as_bytes());
        sent.map_err(|cause| Error::io(format!("tell QEMU {command}"), cause))?;
        loop {
            let answer = self.line()?;
            if let Some(error) = answer.get("error") {
                let said = error["desc"].as_str().unwrap_or("an error").to_owned();
                return Err(Error::Command { command: format!("QEMU's {command}"), said });
            }
            if let Some(result) = answer.get("return") {
                return Ok(result.clone());
            }
        }
    }

    fn line(&mut self) -> Result<Value, Error> {
        let mut line = String::new();
        self.0.read_line(&mut line).map_err(|cause| Error::io("read from QEMU", cause))?;
        serde_json::from_str(&line).map_err(|source| Error::Json { what: "QEMU's answer".into(), source })
    }
}
