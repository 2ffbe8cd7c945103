//! The image header and the domain header.

use std::io::Read;

use byteorder::{BE, ByteOrder, LE};

use super::{DomainHeader, DomainKind};
use crate::{Fault, Input};

/// The version that is written (Xen 4.14 and later).
pub const VERSION: u32 = 3;

/// Bytes of both headers together.
pub const HEADERS_LEN: usize = IMAGE_LEN + DOMAIN_LEN;

const IMAGE_LEN: usize = 24;
const DOMAIN_LEN: usize = 16;
/// The first eight bytes of every libxc stream.
pub(crate) const MARKER: u64 = u64::MAX;
/// "XENF".
const IDENT: u32 = 0x5845_4e46;
/// The oldest version that can be read (Xen 4.6).
const OLDEST_VERSION: u32 = 2;
/// Option bit 0: the stream is big-endian.
const OPTION_BIG_ENDIAN: u16 = 1;
/// 4096-byte pages.
const PAGE_SHIFT: u16 = 12;

impl DomainKind {
    /// The domain header's number for it.
    fn number(self) -> u32 {
        match self {
            Self::Pv => 1,
            Self::Hvm => 2,
        }
    }
}

/// Appends both headers.
pub(super) fn write(header: &DomainHeader, out: &mut Vec<u8>) {
    out.extend_from_slice(&MARKER.to_be_bytes());
    out.extend_from_slice(&IDENT.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    // Options (little-endian body) and reserved.
    out.extend_from_slice(&[0; 8]);

    out.extend_from_slice(&header.kind.number().to_le_bytes());
    out.extend_from_slice(&PAGE_SHIFT.to_le_bytes());
    // Reserved.
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&header.xen_major.to_le_bytes());
    out.extend_from_slice(&header.xen_minor.to_le_bytes());
}

/// Reads the image header and returns its version.
pub(super) fn read_image<R: Read>(input: &mut Input<R>) -> Result<u32, Fault> {
    let bytes = input.array::<IMAGE_LEN>()?;
    let marker = BE::read_u64(&bytes[0..]);
    if marker != MARKER {
        return Err(Fault::Magic(marker, MARKER));
    }
    let ident = BE::read_u32(&bytes[8..]);
    if ident != IDENT {
        return Err(Fault::Magic(ident.into(), IDENT.into()));
    }
    let version = BE::read_u32(&bytes[12..]);
    if !(OLDEST_VERSION..=VERSION).contains(&version) {
        return Err(Fault::Version { version, expected: "2 or 3" });
    }
    let options = BE::read_u16(&bytes[16..]);
    if options & OPTION_BIG_ENDIAN != 0 {
        return Err(Fault::BigEndian(options.into()));
    }
    input.reserved("reserved options", options.into())?;
    input.reserved("reserved field", BE::read_u48(&bytes[18..]))?;
    Ok(version)
}

/// Reads the domain header.
pub(super) fn read_domain<R: Read>(input: &mut Input<R>) -> Result<DomainHeader, Fault> {
    let bytes = input.array::<DOMAIN_LEN>()?;
    let kind = match LE::read_u32(&bytes[0..]) {
        1 => DomainKind::Pv,
        2 => DomainKind::Hvm,
        other => return Err(Fault::DomainType(other)),
    };
    let shift = LE::read_u16(&bytes[4..]);
    if shift != PAGE_SHIFT {
        return Err(Fault::PageShift(shift));
    }
    input.reserved("reserved field", LE::read_u16(&bytes[6..]).into())?;
    Ok(DomainHeader { kind, xen_major: LE::read_u32(&bytes[8..]), xen_minor: LE::read_u32(&bytes[12..]) })
}
