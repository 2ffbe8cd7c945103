//! The libxc stream, version 3 (Xen 4.14 and later); version 2 (Xen 4.6 to 4.13) is read too.
//!
//! ```text
//! image header, 24 bytes, big-endian     marker ~0 | "XENF" | version | options | reserved
//! domain header, 16 bytes                type | page shift | reserved | Xen major | Xen minor
//! record, as many as there are           type u32 | length u32 | body | zeros to a multiple of 8
//!   ... the last one is END
//! PAGE_DATA's body                       count u32 | 0 u32 | count entries u64 | 4096 bytes each that has data
//! entry                                  bits 63-60 page type | 59-52 reserved | 51-0 pfn
//! ```
//!
//! [`Reader`] turns bytes into [`Record`]s, [`Encoder`] records into bytes; both let one [`Order`] check what may
//! come when, so neither can hold a stream for good that the other one refuses.

mod check;
mod decode;
mod encode;
mod encoder;
mod header;
mod hvm_context;
mod limits;
mod order;
mod page_data;
mod reader;
mod record;
mod record_type;

pub use check::check;
pub use decode::{Body, decode};
pub use encode::encode;
pub use encoder::Encoder;
pub(crate) use header::MARKER;
pub use header::{HEADERS_LEN, VERSION};
pub use limits::{Limits, MAX_BODY, MAX_PAGE_ENTRIES, MAX_VCPUS, REC_LENGTH_MAX, StreamUse};
pub use order::Order;
pub use page_data::PageData;
pub use reader::{Item, Reader, RecordHead};
pub use record::{CpuidLeaf, DomainHeader, DomainKind, HvmParam, MsrEntry, Record, TscInfo, VcpuPart};
pub use record_type::RecordType;
