//! Passing a stream on, from the link that brings it to the link that takes it.

use std::io::{self, Read};

use super::{ReceiveLink, SendLink};

/// The most that is passed on at once (bytes): as much as a pipe holds.
const PIECE: usize = 1 << 20;

/// Sends on what `from` brings, byte for byte, until `to` has something to say or is closed (`true`), or until `from`
/// ends (`false`).
///
/// # Errors
/// When either link fails, or the run was aborted.
pub fn forward(from: &mut ReceiveLink, to: &mut SendLink) -> io::Result<bool> {
    let mut piece = vec![0; PIECE];
    loop {
        if to.has_answer_before(from)? {
            return Ok(true);
        }
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(false);
        }
        to.send_bytes(&piece[..length])?;
    }
}
