//! The wire: libxc stream, libxl stream, xl file header.
pub mod libxc;
mod page;
pub use page::{PAGE_SIZE, PageEntry, PageType, Pfn};
