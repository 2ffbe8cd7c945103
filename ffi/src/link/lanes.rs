//! Making up what tells the connections of one guest from others.

use std::fs::File;
use std::io::{self, Read};

use stream::lanes::{Lanes, TOKEN_LEN};

/// So many lanes, with a token that nobody can guess.
///
/// # Errors
/// When the kernel has no random numbers to give.
pub fn new_lanes(count: u32) -> io::Result<Lanes> {
    let mut token = [0; TOKEN_LEN];
    File::open("/dev/urandom")?.read_exact(&mut token)?;
    Ok(Lanes { count, token })
}
