//! Everybody who hears what happens.

use std::fmt;
use std::time::Duration;

use engine::{Event, Observer, Phase};

/// Several observers as one.
#[derive(Default)]
pub struct Audience(Vec<Box<dyn Observer + Send>>);

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audience({})", self.0.len())
    }
}

impl Audience {
    /// One more.
    #[must_use]
    pub fn with(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.0.push(Box::new(observer));
        self
    }

    /// One more, that is boxed already.
    #[must_use]
    pub fn with_box(mut self, observer: Box<dyn Observer + Send>) -> Self {
        self.0.push(observer);
        self
    }

    /// One more, if there is one.
    #[must_use]
    pub fn with_some(self, observer: Option<impl Observer + Send + 'static>) -> Self {
        match observer {
            Some(observer) => self.with(observer),
            None => self,
        }
    }
}

impl Observer for Audience {
    fn event(&mut self, at: Duration, event: Event<'_>) {
        for observer in &mut self.0 {
            observer.event(at, event);
        }
    }
}

/// Writes events to the log.
#[derive(Debug)]
pub struct Log;

impl Observer for Log {
    fn event(&mut self, _: Duration, event: Event<'_>) {
        match event {
            Event::Phase(phase @ (Phase::Round(_) | Phase::StopAndCopy | Phase::Verify)) => {
                tracing::info!("{phase}");
            }
            Event::Phase(phase) => tracing::debug!("{phase}"),
            Event::Pages { handled, planned } => tracing::trace!(handled, planned, "pages"),
            Event::Round(round) => tracing::debug!(?round, "round done"),
            Event::Stop(reason) => tracing::info!("stop and copy: {reason}"),
            Event::Suspended => tracing::info!("the guest is suspended"),
            Event::Changed { pages } => tracing::info!(pages, "not compared: others wrote to them"),
            Event::Skipped { record_type } => tracing::warn!(record_type, "optional record left out"),
        }
    }
}
