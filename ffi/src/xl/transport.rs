//! `xl migrate` with us as its transport: we hear and say what the receiver on the other host does.
//!
//! With `-s ''` `xl migrate` runs a shell command, sends the stream to its standard input and reads the receiver's
//! answers from its standard output. The command that it runs here, [`TRANSPORT`], moves no byte. It says its process
//! id and waits, we open the two pipes through `/proc`, and it ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use engine::Abort;

use super::Error;
use crate::link::{ReceiveLink, receive_over};

/// The descriptor on which the command finds us; a shell redirects one-digit numbers only.
pub const DOOR_FD: RawFd = 9;
/// The command for `xl migrate -s ''`; for [`Ends::inherited`](super::Ends) with [`DOOR_FD`]. While it speaks or waits the
/// door is in the place of a pipe, so it keeps the two pipes under other numbers.
pub const TRANSPORT: &str = "exec 3<&0 4>&1; echo $$ >&9; read -r _ <&9 || :";
/// How long `xl` may take to start it: it has read the domain's configuration before.
const WITHIN: Duration = Duration::from_secs(30);

/// The stream that `xl migrate` sends, and the way back for the answers, from our end of the door.
///
/// # Errors
/// [`Error::Transport`] when `xl` ends, or does not start the command.
pub fn transport(door: UnixStream, abort: &Abort) -> Result<ReceiveLink, Error> {
    open(door, abort).map_err(Error::Transport)
}

fn open(door: UnixStream, abort: &Abort) -> io::Result<ReceiveLink> {
    door.set_read_timeout(Some(WITHIN))?;
    let mut line = String::new();
    let mut door = BufReader::new(door);
    if door.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let pid: u32 = line.trim().parse().map_err(io::Error::other)?;
    let stream = File::open(format!("/proc/{pid}/fd/3"))?;
    let answers = File::options().write(true).open(format!("/proc/{pid}/fd/4"))?;
    // With our end of the door the command's wait ends.
    drop(door);
    receive_over(stream.into(), answers.into(), abort)
}
