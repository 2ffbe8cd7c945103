//! Where a saved domain is read from.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::error::Error;

/// Opens a file, or standard input for `-`.
pub(super) fn open(file: &str) -> Result<Box<dyn Read>, Error> {
    if file == STANDARD {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|source| Error::Open { file: file.to_owned(), source })?;
    Ok(Box::new(BufReader::new(opened)))
}

/// The name of standard input and output.
pub(super) const STANDARD: &str = "-";

/// What an error calls the file.
pub(super) fn shown(file: &str) -> &str {
    if file == STANDARD { "standard input" } else { file }
}
