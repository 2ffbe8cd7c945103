//! xc-restore
