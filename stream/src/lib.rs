//! The wire: bytes to records and back.
//!
//! Three layers, each inside the one above, as `xl save` and `xl migrate` write them:
//!
//! ```text
//! [xl header][config]                                        xl      native endian
//!   [libxl header][LIBXC_CONTEXT]                            libxl   header big-endian, records little-endian
//!     [image header][domain header][records ... END]         libxc   image header big-endian, rest little-endian
//!   [emulator records ... END]                               libxl
//! ```
//!
//! Nothing here knows a socket, a file or a guest: readers take any [`std::io::Read`], writers fill a `Vec<u8>`.
//! Everything read is hostile until checked. No length field of a stream decides how much memory is taken:
//! buffers grow as bytes arrive, up to the caps that each layer documents.

mod error;
pub mod image;
mod input;
pub mod lanes;
pub mod libxc;
pub mod libxl;
mod page;
pub mod xl;

pub use error::{Error, Fault, Layer};
pub use input::{Input, Peeked};
pub use page::{PAGE_SIZE, PageEntry, PageType, Pfn};
