//! The libxc stream.
mod record;
pub use record::{CpuidLeaf, DomainHeader, DomainKind, HvmParam, MsrEntry, Record, TscInfo, VcpuPart};
