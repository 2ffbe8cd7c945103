//! What can go wrong in `xc-image`.

use std::io;

use stream::{PageType, Pfn};

/// A failure; its cause is its source.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot open {file}")]
    Open { file: String, source: io::Error },
    #[error("{file}")]
    Stream { file: String, source: stream::Error },
    #[error("{file}")]
    Read { file: String, source: io::Error },
    #[error("cannot write {file}")]
    Write { file: String, source: io::Error },
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    #[error("{file} has no page {pfn}")]
    NoPage { file: String, pfn: Pfn },
    #[error("{file} has no data for page {pfn}: its last type is {kind}")]
    NoData { file: String, pfn: Pfn, kind: PageType },
    #[error("{file} has no {part}")]
    NoPart { file: String, part: &'static str },
}
