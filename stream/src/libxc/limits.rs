//! How much a stream may claim.

/// The longest record, bytes of its body (`REC_LENGTH_MAX` of libxenguest: stock Xen refuses longer ones).
pub const REC_LENGTH_MAX: u32 = 128 << 20;

/// The longest body that is held in memory, bytes. `PAGE_DATA` is streamed and not bound by it. The largest real
/// one, the p2m frames of a PV guest with 8 TiB, has 32 MiB.
pub const MAX_BODY: u32 = 32 << 20;

/// The most entries of one `PAGE_DATA` record; they take 8 bytes each in the stream and 16 in memory. Stock Xen
/// writes at most 1024 (`MAX_BATCH_SIZE`).
pub const MAX_PAGE_ENTRIES: u32 = 1 << 20;

/// The most vCPUs that Xen gives a PV guest on x86 (`MAX_VIRT_CPUS`).
pub const MAX_VCPUS: u32 = 8192;

/// What a stream is for; it decides which records may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamUse {
    /// A save or a migration: `CHECKPOINT` is an error.
    #[default]
    Plain,
    /// Remus or COLO: `VERIFY` is an error.
    Checkpointed,
    /// Some of a guest's pages, beside the stream that has all else: nothing but `PAGE_DATA`, `VERIFY` and `END` may come.
    Lane,
}

/// What a reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One more than the highest pfn that may come.
    pub pfn_limit: u64,
    /// One more than the highest vCPU of a PV guest that may come.
    pub vcpu_limit: u32,
    /// What the stream is for.
    pub stream_use: StreamUse,
}

impl Default for Limits {
    /// A plain stream with pages up to 2^48 bytes (the widest guest physical address that Xen on x86 supports) and
    /// [`MAX_VCPUS`] vCPUs.
    fn default() -> Self {
        Self { pfn_limit: 1 << 36, vcpu_limit: MAX_VCPUS, stream_use: StreamUse::Plain }
    }
}
