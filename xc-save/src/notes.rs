//! What is said about letters of xl that mean nothing for a guest process.

/// For `-D`.
pub const NO_DOMID: &str = "note: -D changes nothing, a guest process has no domain id to preserve";
