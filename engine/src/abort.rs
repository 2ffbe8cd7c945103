//! The wish to stop, which may come at any moment and from any thread.

use std::sync::{Arc, OnceLock};

/// A flag that, once raised, makes a save or restore fail at its next step and undo what it did.
///
/// Clones share the flag. The first reason given stays.
#[derive(Clone, Debug, Default)]
pub struct Abort(Arc<OnceLock<String>>);

impl Abort {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag.
    pub fn raise(&self, reason: impl Into<String>) {
        // A second reason is dropped: the first one is why the run ends.
        let _ = self.0.set(reason.into());
    }

    /// Why the flag was raised, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
