//! The asking side.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{MAX_LINE, Reply, Request, Status};

/// How long a cancelled migration may take to end; a tenth of a second is usual.
const END_WITHIN: Duration = Duration::from_secs(30);

/// Why a migration cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is none.
    #[error("no migration of {0} runs here")]
    None(String),
    /// It does not answer.
    #[error("cannot ask the migration of {0}")]
    Silent(String, #[source] io::Error),
    /// It answers something else.
    #[error("the migration of {0} gave a strange answer")]
    Strange(String),
}

/// What became of a wish to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended with this exit code, and the guest is there.
    Ended(u8, String),
    /// The guest was being handed over already.
    TooLate,
}

/// How the migration of this guest gets on.
///
/// # Errors
/// When there is none, or it does not answer.
pub fn status(directory: &Path, id: &str) -> Result<Status, ControlError> {
    match Connection::open(directory, id, Request::Status)?.reply()? {
        Reply::Status(status) => Ok(*status),
        _ => Err(ControlError::Strange(id.into())),
    }
}

/// How all of them get on, by name; those that end meanwhile are left out.
#[must_use]
pub fn statuses(directory: &Path) -> Vec<Status> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".sock")?.to_owned()));
    let mut found: Vec<_> = ids.filter_map(|id| status(directory, &id).ok()).collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

/// Cancels the migration of this guest; returns when it has ended.
///
/// # Errors
/// When there is none, or it does not answer.
pub fn cancel(directory: &Path, id: &str) -> Result<Cancelled, ControlError> {
    let mut connection = Connection::open(directory, id, Request::Cancel)?;
    loop {
        match connection.reply()? {
            Reply::Cancelling => {}
            Reply::TooLate => return Ok(Cancelled::TooLate),
            Reply::Ended { exit, place } => return Ok(Cancelled::Ended(exit, place)),
            Reply::Status(_) => return Err(ControlError::Strange(id.into())),
        }
    }
}

struct Connection {
    id: String,
    stream: BufReader<UnixStream>,
}

impl Connection {
    fn open(directory: &Path, id: &str, request: Request) -> Result<Self, ControlError> {
        let silent = |error| ControlError::Silent(id.to_owned(), error);
        let mut stream = match UnixStream::connect(directory.join(format!("{id}.sock"))) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Err(ControlError::None(id.to_owned()));
            }
            Err(error) => return Err(silent(error)),
        };
        let mut line = serde_json::to_vec(&request).map_err(|error| silent(error.into()))?;
        line.push(b'\n');
        let asked = stream.set_read_timeout(Some(END_WITHIN)).and_then(|()| stream.write_all(&line));
        asked.map_err(silent)?;
        Ok(Self { id: id.to_owned(), stream: BufReader::new(stream) })
    }

    fn reply(&mut self) -> Result<Reply, ControlError> {
        let mut line = String::new();
        let read = (&mut self.stream).take(MAX_LINE).read_line(&mut line);
        match read {
            Ok(0) => Err(ControlError::Silent(self.id.clone(), ErrorKind::UnexpectedEof.into())),
            Ok(_) => serde_json::from_str(&line).map_err(|_| ControlError::Strange(self.id.clone())),
            Err(error) => Err(ControlError::Silent(self.id.clone(), error)),
        }
    }
}
