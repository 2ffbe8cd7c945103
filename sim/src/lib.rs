//! A guest, a link and a clock that are only numbers, under the shipped engine.
//!
//! Nothing here knows how to migrate: the engine does, on these implementations of its traits. A [`SimGuest`] runs
//! a [`DirtyModel`] on a [`VirtualClock`], and a [`SimLink`] moves that clock. Predictions are such runs over a
//! [`SimWire::counting`] wire; tests restore a kept wire into a [`SimTarget`] and compare [`SimGuest::snapshot`]
//! with [`SimTarget::snapshot`]. On one thread a run is deterministic.

mod bounds;
mod clock;
mod content;
mod error;
mod fault;
mod forecast;
mod guest;
mod hvm_context;
mod link;
pub mod model;
mod random;
mod recording;
mod target;
mod traffic;
mod witness;

pub use bounds::Bounds;
pub use clock::VirtualClock;
pub use content::Content;
pub use error::SimError;
pub use fault::FaultPoint;
pub use forecast::forecast;
pub use guest::{SimBatch, SimConfig, SimGuest, SimSource, SimToolstack, SimTracker};
pub use link::{SimLink, SimWire};
pub use model::{ConstantRate, DirtyModel, Event};
pub use recording::{Recording, RecordingError};
pub use target::SimTarget;
pub use traffic::Traffic;
pub use witness::{Notes, Witnessed};
