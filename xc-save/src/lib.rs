//! xc-save
