//! xl's file header, with the guest's configuration in it, and what xl says before and after a migration.
//!
//! ```text
//! 0   magic, 32 bytes
//! 32  byte order mark u32 | mandatory flags u32 | optional flags u32 | length of the optional data u32
//! 48  length of the configuration u32, NUL included | JSON text | NUL
//! ```

use std::io::Read;

use byteorder::{ByteOrder, LE};

use crate::{Error, Fault, Input, Layer};

/// The first bytes of a file that `xl save` wrote.
pub const MAGIC: &[u8; 32] = b"Xen saved domain, xl format\n \0 \r";

/// The longest configuration that is read, bytes without the NUL. Real ones have some 1000.
pub const CONFIG_MAX: u32 = 1 << 20;

/// Bytes after the magic and before the optional data.
const FIELDS_LEN: usize = 16;
/// The byte order mark of a little-endian machine, read by one.
const BYTE_ORDER: u32 = 0x0102_0304;
/// Mandatory flag: the configuration is JSON.
const FLAG_JSON: u32 = 1 << 0;
/// Mandatory flag: a libxl stream follows (Xen 4.6 and later).
const FLAG_LIBXL_STREAM: u32 = 1 << 1;
/// Bytes of the configuration's own length.
const CONFIG_HEAD: u32 = 4;

/// What an xl header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The guest's configuration (`libxl_domain_config`) as JSON text, without the NUL; empty when there is none.
    pub config: Vec<u8>,
}

impl Header {
    /// Appends the header.
    ///
    /// # Errors
    /// When the configuration is longer than [`CONFIG_MAX`] or holds a NUL; nothing is appended then.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let optional = self.optional_data().map_err(|fault| fault.at(Layer::Xl, None, 0))?;
        out.extend_from_slice(MAGIC);
        // At most CONFIG_MAX and some: checked above.
        let length = u32::try_from(optional.len()).unwrap_or(u32::MAX);
        for field in [BYTE_ORDER, FLAG_JSON | FLAG_LIBXL_STREAM, 0, length] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&optional);
        Ok(())
    }

    fn optional_data(&self) -> Result<Vec<u8>, Fault> {
        if self.config.is_empty() {
            return Ok(Vec::new());
        }
        let length = self.config.len() as u64 + 1;
        let config_len = u32::try_from(length).unwrap_or(u32::MAX);
        check_optional_len(config_len.saturating_add(CONFIG_HEAD))?;
        let mut data = config_len.to_le_bytes().to_vec();
        data.extend_from_slice(&self.config);
        data.push(0);
        check_nul(&data[CONFIG_HEAD as usize..])?;
        Ok(data)
    }

    /// Reads the header; the libxl stream follows.
    ///
    /// # Errors
    /// When this is not the header of a file with a libxl stream and a JSON configuration.
    pub fn read<R: Read>(input: &mut Input<R>) -> Result<Self, Error> {
        let offset = input.offset();
        read(input).map_err(|fault| fault.at(Layer::Xl, None, offset))
    }
}

fn read<R: Read>(input: &mut Input<R>) -> Result<Header, Fault> {
    let magic = input.array::<{ MAGIC.len() }>()?;
    if magic != *MAGIC {
        return Err(Fault::Magic(LE::read_u64(&magic), LE::read_u64(MAGIC)));
    }
    let fields = input.array::<FIELDS_LEN>()?;
    check_byte_order(LE::read_u32(&fields))?;
    check_flags(LE::read_u32(&fields[4..]))?;
    // Optional flags, at 8, are those that an older reader may ignore.
    let optional_len = LE::read_u32(&fields[12..]);
    check_optional_len(optional_len)?;

    let optional = input.bytes(usize::try_from(optional_len).unwrap_or(usize::MAX))?;
    Ok(Header { config: config(&optional)? })
}

fn check_byte_order(mark: u32) -> Result<(), Fault> {
    if mark == BYTE_ORDER { Ok(()) } else { Err(Fault::ByteOrder(mark)) }
}

fn check_flags(flags: u32) -> Result<(), Fault> {
    if flags & FLAG_LIBXL_STREAM == 0 {
        return Err(Fault::Legacy(flags));
    }
    if flags == FLAG_JSON | FLAG_LIBXL_STREAM { Ok(()) } else { Err(Fault::XlFlags(flags)) }
}

fn check_optional_len(length: u32) -> Result<(), Fault> {
    const MOST: u32 = CONFIG_HEAD + CONFIG_MAX + 1;
    if length <= MOST {
        return Ok(());
    }
    Err(Fault::OptionalData { length: length.into(), most: MOST.into() })
}

/// The configuration in the optional data; what follows it there is for readers newer than this one.
fn config(optional: &[u8]) -> Result<Vec<u8>, Fault> {
    let Some((head, rest)) = optional.split_first_chunk::<{ CONFIG_HEAD as usize }>() else {
        return Ok(Vec::new());
    };
    let length = u32::from_le_bytes(*head);
    let (wanted, space) = (usize::try_from(length).unwrap_or(usize::MAX), rest.len() as u64);
    let text = rest.get(..wanted).ok_or(Fault::ConfigLength { length: length.into(), space })?;
    check_nul(text)?;
    Ok(text.split_last().map_or_else(Vec::new, |(_nul, config)| config.to_vec()))
}

/// Checks that the only NUL is the last byte.
fn check_nul(text: &[u8]) -> Result<(), Fault> {
    let expected = text.len().saturating_sub(1);
    match text.iter().position(|b| *b == 0) {
        found if found != Some(expected) && !text.is_empty() => Err(Fault::ConfigNul { found, expected }),
        _ => Ok(()),
    }
}

/// What the two `xl` of a migration say to each other, byte for byte, around the saved domain.
///
/// ```text
/// receiver  READY
/// sender    xl header, libxl stream
/// receiver  COMPLETE           the domain is there, paused
/// sender    PERMISSION         the sender's copy is renamed and will not run again on its own
/// receiver  REPORT, one byte   0: it runs. Else the receiver sends PERMISSION: the sender may resume its copy
/// ```
pub mod handshake {
    /// Receiver: send the domain. No NUL.
    pub const READY: &[u8] = b"xl migration receiver ready, send binary domain data.\n";
    /// Receiver: the domain is here and paused.
    pub const COMPLETE: &[u8] = b"domain received, ready to unpause\0";
    /// Sender: run it. Receiver, after a report of failure: resume yours.
    pub const PERMISSION: &[u8] = b"domain is yours, you are cleared to unpause\0";
    /// Receiver: the status byte follows.
    pub const REPORT: &[u8] = b"my copy unpause results are as follows\0";
    /// The status byte behind [`REPORT`] when the domain runs; any other is a failure.
    pub const STATUS_RUNNING: u8 = 0;
}

#[cfg(test)]
mod tests {
    use super::handshake::{COMPLETE, PERMISSION, READY, REPORT};

    #[test]
    fn the_handshake_has_the_lengths_that_xl_waits_for() {
        assert_eq!([54, 34, 44, 39], [READY, COMPLETE, PERMISSION, REPORT].map(<[u8]>::len));
    }
}
