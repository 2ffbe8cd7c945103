//! What happens, as it happens: progress bars, logs and statistics are observers.

use std::time::Duration;

use policy::Round;

use crate::Phase;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A phase began.
    Phase(Phase),
    /// Pages of the running pass were handled: handed to the link, skipped, or found to be holes.
    Pages {
        /// How many so far.
        handled: u64,
        /// Of how many; 0 where nobody knows (a restore).
        planned: u64,
    },
    /// A round of the pre-copy is over.
    Round(&'a Round),
    /// The stop policy ended the pre-copy; why.
    Stop(&'a str),
    /// The guest is suspended.
    Suspended,
    /// Pages of the suspended guest changed between the pass that sent them last and the one for comparing, which left
    /// them out.
    Changed {
        /// How many.
        pages: u64,
    },
    /// A record that this version does not know, and that may be left out, was left out.
    Skipped {
        /// Its type.
        record_type: u32,
    },
}

/// Hears every event, in order, on the thread that runs the loop: it must be quick.
pub trait Observer {
    /// `at` is the time since the start on the run's clock.
    fn event(&mut self, at: Duration, event: Event<'_>);
}

/// Hears nothing.
impl Observer for () {
    fn event(&mut self, _: Duration, _: Event<'_>) {}
}
