//! What is wrong with a stream, and where.

use std::fmt;
use std::io;

use crate::libxc::{DomainKind, RecordType};
use crate::{PageType, Pfn};

/// One of the three layers of a stream, or what follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// xl's file header and the configuration in it.
    Xl,
    /// libxl's stream.
    Libxl,
    /// libxc's stream.
    Libxc,
    /// Bytes of somebody else behind the last record.
    Trailer,
}

impl Layer {
    /// One word for it: `xl`, `libxl`, `libxc`, `behind`.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Xl => "xl",
            Self::Libxl => "libxl",
            Self::Libxc => "libxc",
            Self::Trailer => "behind",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xl => "xl header",
            Self::Libxl => "libxl stream",
            Self::Libxc => "libxc stream",
            Self::Trailer => "behind the stream",
        })
    }
}

/// A stream cannot be read, or must not be written: what is wrong and where.
#[derive(Debug)]
pub struct Error {
    /// The layer that it happened in.
    pub layer: Layer,
    /// Byte of the file (of the first byte given to [`crate::Input`]) at which the record or header starts.
    pub offset: u64,
    /// The record's name; `None` for a header, or before the record's type is known.
    pub record: Option<&'static str>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)?;
        if let Some(record) = self.record {
            write!(f, ", {record}")?;
        }
        write!(f, " at byte {}: {}", self.offset, self.fault)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

/// One check that failed: the value found, and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The reader below failed.
    #[error("cannot read")]
    Io(#[source] io::Error),
    /// The stream ends too early.
    #[error("the stream ends after {got} of {wanted} bytes")]
    Truncated {
        /// Bytes that should have been there.
        wanted: u64,
        /// Bytes that were there.
        got: u64,
    },
    /// A record was asked for after `END`.
    #[error("nothing can follow END")]
    AfterEnd,
    /// Padding is not zero (strict reading only).
    #[error("padding holds {0:#x}, 0 expected")]
    Padding(u64),
    /// A reserved field is not zero (strict reading only).
    #[error("{field} is {value:#x}, 0 expected")]
    Reserved {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u64,
    },

    /// The magic number of a header is wrong.
    #[error("magic {0:#x}, {1:#x} expected")]
    Magic(u64, u64),
    /// A file starts with no header of any of the layers.
    #[error("starts with {0:#x}: neither an xl, nor a libxl, nor a libxc header")]
    NoImage(u64),
    /// A version that this reader does not know.
    #[error("version {version}, {expected} expected")]
    Version {
        /// The header's version.
        version: u32,
        /// The known ones.
        expected: &'static str,
    },
    /// The stream is big-endian.
    #[error("a big-endian stream (options {0:#x}), little-endian expected")]
    BigEndian(u32),
    /// An unknown kind of guest.
    #[error("domain type {0}, 1 (PV) or 2 (HVM) expected")]
    DomainType(u32),
    /// Pages that are not 4096 bytes.
    #[error("page shift {0}, 12 expected")]
    PageShift(u16),

    /// The type of a mandatory record is unknown (or, in strict reading, that of any record).
    #[error("unknown record type {0:#x}")]
    UnknownRecord(u32),
    /// A record that must not be in a stream any more.
    #[error("{0} is not supported")]
    Unsupported(RecordType),
    /// A record has another length than its type demands.
    #[error("length {length}, {expected} expected")]
    Length {
        /// The record's `body_length`.
        length: u64,
        /// The right one.
        expected: u64,
    },
    /// A record is too short.
    #[error("length {length}, at least {least} expected")]
    TooShort {
        /// The record's `body_length`.
        length: u64,
        /// The least allowed.
        least: u64,
    },
    /// A record is too long.
    #[error("length {length}, at most {most} expected")]
    TooLong {
        /// The record's `body_length`.
        length: u64,
        /// The most allowed.
        most: u64,
    },
    /// A record that holds an array has no whole number of elements.
    #[error("length {length}, {head} and a multiple of {element} expected")]
    Ragged {
        /// The record's `body_length`.
        length: u64,
        /// Bytes before the array.
        head: u64,
        /// Bytes an element.
        element: u64,
    },

    /// `PAGE_DATA` without pages.
    #[error("count 0, at least 1 expected")]
    NoPages,
    /// `PAGE_DATA` with more entries than the reader is willing to hold.
    #[error("count {count}, at most {most} expected")]
    TooManyPages {
        /// The record's count.
        count: u64,
        /// The most allowed.
        most: u64,
    },
    /// A page type that does not exist.
    #[error("entry {index} has page type {nibble:#x}, 0 to 4 or 9 to 0xf expected")]
    PageType {
        /// Which entry.
        index: u64,
        /// Its type.
        nibble: u8,
    },
    /// A page number beyond the guest's memory.
    #[error("pfn {pfn}, less than {limit:#x} expected")]
    PfnTooHigh {
        /// The page.
        pfn: Pfn,
        /// One more than the highest page allowed.
        limit: u64,
    },
    /// A page table in the stream of an HVM guest.
    #[error("pfn {pfn} has type {kind}: an HVM guest has no page tables in its stream")]
    PageTable {
        /// The page.
        pfn: Pfn,
        /// Its type.
        kind: PageType,
    },

    /// Not a PV guest that exists.
    #[error("guest width {guest_width} with {pt_levels} page table levels, 4 with 3 or 8 with 4 expected")]
    PvInfo {
        /// Bytes in a guest word.
        guest_width: u8,
        /// Page table levels.
        pt_levels: u8,
    },
    /// The first pfn covered is behind the last one.
    #[error("first pfn {start:#x} behind last pfn {end:#x}")]
    P2mRange {
        /// First pfn.
        start: u32,
        /// Last pfn.
        end: u32,
    },
    /// Frames were left out between this record and the ones before.
    #[error("starts at p2m frame {first}, at most {expected} expected: the frames between are missing")]
    P2mGap {
        /// First frame of this record.
        first: u64,
        /// First frame not yet given.
        expected: u64,
    },
    /// A vCPU that cannot exist.
    #[error("vCPU {vcpu}, less than {limit} expected")]
    VcpuTooHigh {
        /// The record's vCPU.
        vcpu: u32,
        /// One more than the highest allowed.
        limit: u32,
    },
    /// The state in an `EXTENDED` record names another vCPU than the record.
    #[error("the state is of vCPU {inner}, {vcpu} expected")]
    ExtendedVcpu {
        /// The state's vCPU.
        inner: u32,
        /// The record's vCPU.
        vcpu: u32,
    },
    /// The state in an `EXTENDED` record names another size than it has.
    #[error("the state says {inner} bytes, {size} expected")]
    ExtendedSize {
        /// The state's own size field.
        inner: u32,
        /// Its size.
        size: u64,
    },
    /// A parameter that no saver writes.
    #[error("parameter {0} is none of those that a stream may set")]
    HvmParam(u64),
    /// The first entry of an `HVM_CONTEXT` is no header.
    #[error("the first entry has typecode {0}, 1 (HEADER) expected")]
    ContextFirst(u16),
    /// The header of an `HVM_CONTEXT` has another magic number.
    #[error("header magic {0:#x}, 0x54381286 expected")]
    ContextMagic(u32),
    /// An entry of an `HVM_CONTEXT` ends behind the record.
    #[error("entry {typecode} at {at} has {length} bytes, at most {left} expected")]
    ContextEntry {
        /// The entry's type code.
        typecode: u16,
        /// Where in the context it starts.
        at: u64,
        /// Its length.
        length: u64,
        /// Bytes left.
        left: u64,
    },
    /// An `HVM_CONTEXT` has no end entry.
    #[error("no end entry (typecode 0)")]
    ContextEnd,
    /// Something follows the end entry of an `HVM_CONTEXT`.
    #[error("{0} bytes behind the end entry, 0 expected")]
    ContextTail(u64),

    /// A number of connections that cannot be.
    #[error("{0} connections, 2 to 16 expected")]
    Lanes(u32),
    /// The record belongs to the other kind of guest.
    #[error("not a record for a guest of type {0}")]
    WrongKind(DomainKind),
    /// The record does not exist in this version of the stream.
    #[error("does not exist in version {0}")]
    WrongVersion(u32),
    /// The record comes before one that it needs.
    #[error("comes before {0}")]
    Before(RecordType),
    /// The record comes behind one that must follow it.
    #[error("comes after {0}")]
    After(RecordType),
    /// The record may come only once.
    #[error("comes a second time")]
    Twice,
    /// The guest's state is not complete.
    #[error("there was no {0}")]
    Missing(RecordType),
    /// The guest's first vCPU has no state.
    #[error("there was no X86_PV_VCPU_BASIC of vCPU 0")]
    MissingVcpu,
    /// `CHECKPOINT` in a stream that is not checkpointed, `VERIFY` in one that is, or state in one that has only pages.
    #[error("not allowed in this use of a stream")]
    WrongUse,

    /// An xl header's byte order mark is not that of this machine.
    #[error("byte order mark {0:#x}, 0x1020304 expected")]
    ByteOrder(u32),
    /// The file holds a stream from before Xen 4.6.
    #[error(
        "a stream of Xen 4.5 or older (flags {0:#x}): resume and save it again with a newer Xen, or convert it \
         with Xen's convert-legacy-stream"
    )]
    Legacy(u32),
    /// A mandatory flag of an xl header is unknown, or the configuration is not JSON.
    #[error("mandatory flags {0:#x}, 0x3 expected")]
    XlFlags(u32),
    /// The optional data of an xl header are longer than any configuration.
    #[error("{length} bytes of optional data, at most {most} expected")]
    OptionalData {
        /// Their length.
        length: u64,
        /// The most allowed.
        most: u64,
    },
    /// The configuration does not fit into the optional data.
    #[error("a configuration of {length} bytes in {space} bytes of optional data")]
    ConfigLength {
        /// The configuration's length.
        length: u64,
        /// Bytes there are for it.
        space: u64,
    },
    /// The configuration is not one text that ends in NUL.
    #[error("NUL at byte {found:?} of the configuration, at {expected} expected")]
    ConfigNul {
        /// The first NUL, if there is one.
        found: Option<usize>,
        /// Where it belongs.
        expected: usize,
    },
    /// A device model that does not exist.
    #[error("emulator {0}, 0 to 2 expected")]
    Emulator(u32),
    /// A COLO message that does not exist.
    #[error("control id {0}, 0 to 3 expected")]
    CheckpointState(u32),
    /// The first record of a libxl stream is another one than `LIBXC_CONTEXT`.
    #[error("LIBXC_CONTEXT expected first")]
    NoLibxcContext,
    /// The device model's xenstore data are not pairs of texts that each end in NUL.
    #[error("{0} texts that end in NUL, an even number and nothing behind expected")]
    XenstorePairs(usize),
}

impl Fault {
    /// Says where this happened.
    #[must_use]
    pub(crate) fn at(self, layer: Layer, record: Option<&'static str>, offset: u64) -> Error {
        Error { layer, offset, record, fault: self }
    }
}
