//! The libxl stream: what surrounds the libxc stream in a saved domain.
//!
//! Reading and writing are plain functions over one [`Input`], because the libxc stream comes inline: after
//! [`Record::LibxcContext`] the input goes into a [`crate::libxc::Reader`], and its `into_inner` gives it back.

use std::io::Read;

use byteorder::{BE, ByteOrder, LE};

use crate::input::padding_len;
use crate::lanes::Lanes;
use crate::{Error, Fault, Input, Layer};

/// The longest body that is read, bytes. libxl itself knows no limit; a device model's state has a few MiB.
pub const MAX_BODY: u32 = 32 << 20;

/// "LibxlFmt": the first eight bytes, big-endian.
pub(crate) const IDENT: u64 = 0x4c69_6278_6c46_6d74;
/// The one version there is.
const VERSION: u32 = 2;
const HEADER_LEN: usize = 16;
/// Option bit 0: the records are big-endian.
const OPTION_BIG_ENDIAN: u32 = 1 << 0;
/// Option bit 1: converted from a stream of before Xen 4.6.
const OPTION_LEGACY: u32 = 1 << 1;
/// Bytes of a record before its body: type and length.
const RECORD_HEAD: usize = 8;
/// Bytes of an emulator record before its data: emulator id and index.
const EMULATOR_HEAD: usize = 8;

/// What a libxl header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Whether the stream was converted from one of before Xen 4.6.
    pub legacy: bool,
}

impl Header {
    /// Appends the header.
    pub fn write(self, out: &mut Vec<u8>) {
        let options = if self.legacy { OPTION_LEGACY } else { 0 };
        out.extend_from_slice(&IDENT.to_be_bytes());
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&options.to_be_bytes());
    }

    /// Reads the header.
    ///
    /// # Errors
    /// When this is not the header of a little-endian version 2 stream.
    pub fn read<R: Read>(input: &mut Input<R>) -> Result<Self, Error> {
        let offset = input.offset();
        read_header(input).map_err(|fault| fault.at(Layer::Libxl, None, offset))
    }
}

fn read_header<R: Read>(input: &mut Input<R>) -> Result<Header, Fault> {
    let bytes = input.array::<HEADER_LEN>()?;
    let ident = BE::read_u64(&bytes);
    if ident != IDENT {
        return Err(Fault::Magic(ident, IDENT));
    }
    let version = BE::read_u32(&bytes[8..]);
    if version != VERSION {
        return Err(Fault::Version { version, expected: "2" });
    }
    let options = BE::read_u32(&bytes[12..]);
    if options & OPTION_BIG_ENDIAN != 0 {
        return Err(Fault::BigEndian(options));
    }
    input.reserved("reserved options", (options & !OPTION_LEGACY).into())?;
    Ok(Header { legacy: options & OPTION_LEGACY != 0 })
}

/// State of a device model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    /// Which device model: 0 unknown (converted streams), 1 qemu-xen-traditional, 2 qemu.
    pub id: u32,
    /// Which of them, if there are several.
    pub index: u32,
    /// The state. In `EMULATOR_XENSTORE_DATA`: key, NUL, value, NUL, and so on.
    pub data: Vec<u8>,
}

/// A record of a libxl stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The end of the stream.
    End,
    /// The libxc stream follows inline.
    LibxcContext,
    /// What the device model keeps in xenstore.
    EmulatorXenstoreData(Emulator),
    /// The device model's own state.
    EmulatorContext(Emulator),
    /// The end of one checkpoint (Remus, COLO).
    CheckpointEnd,
    /// A message of the two sides of COLO: 0 new checkpoint, 1 secondary suspended, 2 secondary ready, 3 secondary
    /// resumed.
    CheckpointState(u32),
    /// Not libxl's, which refuses it: some of the guest's pages come by further connections. Before
    /// [`LibxcContext`](Self::LibxcContext).
    Lanes(Lanes),
}

/// The number of [`Record::Lanes`], far from those that libxl counts up: "lane".
const LANES: u32 = 0x656e_616c;

impl Record {
    /// The number of its type.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::End => 0,
            Self::LibxcContext => 1,
            Self::EmulatorXenstoreData(_) => 2,
            Self::EmulatorContext(_) => 3,
            Self::CheckpointEnd => 4,
            Self::CheckpointState(_) => 5,
            Self::Lanes(_) => LANES,
        }
    }

    /// Appends the record.
    ///
    /// # Errors
    /// When the record would be refused by [`Self::read`]; nothing is appended then.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let number = self.number();
        self.try_write(out).map_err(|fault| fault.at(Layer::Libxl, name(number), 0))
    }

    fn try_write(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.check()?;
        let body = self.body();
        let length = check_length(body.len() as u64)?;
        out.extend_from_slice(&self.number().to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&body);
        out.resize(out.len() + padding_len(length.into()), 0);
        Ok(())
    }

    fn body(&self) -> Vec<u8> {
        match self {
            Self::End | Self::LibxcContext | Self::CheckpointEnd => Vec::new(),
            Self::EmulatorXenstoreData(emulator) | Self::EmulatorContext(emulator) => {
                [&emulator.id.to_le_bytes(), &emulator.index.to_le_bytes(), &emulator.data[..]].concat()
            }
            Self::CheckpointState(control_id) => control_id.to_le_bytes().to_vec(),
            Self::Lanes(lanes) => lanes.body(),
        }
    }

    /// Reads the next record.
    ///
    /// # Errors
    /// When it is not right. The stream cannot be read on then.
    pub fn read<R: Read>(input: &mut Input<R>) -> Result<(Head, Self), Error> {
        let offset = input.offset();
        let at = |fault: Fault, name| fault.at(Layer::Libxl, name, offset);
        let bytes = input.array::<RECORD_HEAD>().map_err(|fault| at(fault, None))?;
        let (number, length) = (LE::read_u32(&bytes), LE::read_u32(&bytes[4..]));
        let name = name(number).ok_or_else(|| at(Fault::UnknownRecord(number), None))?;
        let record = read_body(input, number, length).map_err(|fault| at(fault, Some(name)))?;
        Ok((Head { offset, name, length }, record))
    }

    /// Checks what the record says.
    fn check(&self) -> Result<(), Fault> {
        /// The highest number of a device model.
        const EMULATOR_MAX: u32 = 2;
        /// The highest number of a COLO message.
        const CONTROL_MAX: u32 = 3;
        match self {
            Self::EmulatorXenstoreData(emulator) | Self::EmulatorContext(emulator)
                if emulator.id > EMULATOR_MAX =>
            {
                Err(Fault::Emulator(emulator.id))
            }
            Self::EmulatorXenstoreData(emulator) => check_pairs(&emulator.data),
            Self::Lanes(lanes) => lanes.check(),
            Self::CheckpointState(id) if *id > CONTROL_MAX => Err(Fault::CheckpointState(*id)),
            _ => Ok(()),
        }
    }
}

/// Where a record is and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Byte of the file at which the record starts.
    pub offset: u64,
    /// The name of its type.
    pub name: &'static str,
    /// Bytes in its body, without padding.
    pub length: u32,
}

/// The name of a record type, if there is one of this number.
fn name(number: u32) -> Option<&'static str> {
    const NAMES: [&str; 6] = [
        "END",
        "LIBXC_CONTEXT",
        "EMULATOR_XENSTORE_DATA",
        "EMULATOR_CONTEXT",
        "CHECKPOINT_END",
        "CHECKPOINT_STATE",
    ];
    if number == LANES {
        return Some("LANES");
    }
    NAMES.get(usize::try_from(number).ok()?).copied()
}

fn read_body<R: Read>(input: &mut Input<R>, number: u32, length: u32) -> Result<Record, Fault> {
    check_length(length.into())?;
    let body = input.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
    input.padding(length.into())?;
    let record = match number {
        0 => empty(&body, Record::End),
        1 => empty(&body, Record::LibxcContext),
        2 => emulator(&body).map(Record::EmulatorXenstoreData),
        3 => emulator(&body).map(Record::EmulatorContext),
        4 => empty(&body, Record::CheckpointEnd),
        5 => checkpoint_state(input, &body),
        LANES => Lanes::decode(&body).map(Record::Lanes),
        _ => Err(Fault::UnknownRecord(number)),
    }?;
    record.check()?;
    Ok(record)
}

fn check_length(length: u64) -> Result<u32, Fault> {
    match u32::try_from(length) {
        Ok(fits) if fits <= MAX_BODY => Ok(fits),
        _ => Err(Fault::TooLong { length, most: MAX_BODY.into() }),
    }
}

fn empty(body: &[u8], record: Record) -> Result<Record, Fault> {
    match body.len() {
        0 => Ok(record),
        length => Err(Fault::Length { length: length as u64, expected: 0 }),
    }
}

fn emulator(body: &[u8]) -> Result<Emulator, Fault> {
    let Some((head, data)) = body.split_first_chunk::<EMULATOR_HEAD>() else {
        return Err(Fault::TooShort { length: body.len() as u64, least: EMULATOR_HEAD as u64 });
    };
    Ok(Emulator { id: LE::read_u32(head), index: LE::read_u32(&head[4..]), data: data.to_vec() })
}

/// Checks that the data are pairs of texts that each end in NUL.
fn check_pairs(data: &[u8]) -> Result<(), Fault> {
    let texts = data.iter().filter(|b| **b == 0).count();
    let whole = data.last().is_none_or(|b| *b == 0);
    if whole && texts.is_multiple_of(2) { Ok(()) } else { Err(Fault::XenstorePairs(texts)) }
}

/// libxl writes four bytes; the specification draws eight, the last four reserved.
fn checkpoint_state<R>(input: &mut Input<R>, body: &[u8]) -> Result<Record, Fault> {
    const WRITTEN: usize = 4;
    const SPECIFIED: usize = 8;
    match body.len() {
        WRITTEN => {}
        SPECIFIED => input.reserved("reserved field", LE::read_u32(&body[WRITTEN..]).into())?,
        length => return Err(Fault::Length { length: length as u64, expected: WRITTEN as u64 }),
    }
    Ok(Record::CheckpointState(LE::read_u32(body)))
}
