//! A guest whose pages are numbers, which runs on a virtual clock.
//!
//! Nothing moves by itself: whenever anything looks at the guest, it first does all that its dirty model has for it
//! up to now. So every look sees what it would see if the guest ran all the time.

mod source;
mod toolstack;
mod tracker;

#[cfg(test)]
mod tests;

use std::fmt;
use std::iter::Peekable;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Clock, PfnSet};
use stream::Pfn;

pub use source::{SimBatch, SimSource};
pub use toolstack::SimToolstack;
pub use tracker::SimTracker;

use crate::fault::Faults;
use crate::{Content, DirtyModel, Event, FaultPoint, VirtualClock};

/// What a guest is at its start.
#[derive(Clone, Debug, Default)]
pub struct SimConfig {
    /// How many pages it may have: one more than its highest pfn.
    pub pages: u64,
    /// What its pages hold at first is [`Content::initial`] of this seed.
    pub seed: u64,
    /// Pages without memory at first.
    pub holes: Vec<Pfn>,
    /// Log-dirty does not see pages come and go, only writes: then a page that goes and comes back between two
    /// harvests is lost on any save.
    pub silent_ballooning: bool,
    /// How long the guest runs on after it was asked to suspend.
    pub suspend_takes: Duration,
    /// How long a harvest of the dirty pages takes.
    pub harvest_takes: Duration,
    /// How long a peek at them takes.
    pub peek_takes: Duration,
}

/// A simulated guest: what a test keeps to look at while the engine has the source, the tracker and the toolstack.
///
/// Clones are the same guest.
#[derive(Clone, Debug)]
pub struct SimGuest(Arc<Mutex<State>>);

impl SimGuest {
    /// A guest that runs from now on: its guest time is zero.
    #[must_use]
    pub fn new(config: &SimConfig, model: impl DirtyModel + 'static, clock: &VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(State::new(config, Box::new(model), clock.clone()))))
    }

    /// The three sides that a save works on.
    #[must_use]
    pub fn split(&self) -> (SimSource, SimTracker, SimToolstack) {
        (SimSource::new(self.clone()), SimTracker::new(self.clone()), SimToolstack::new(self.clone()))
    }

    /// The same guest, whose pages are sent as zeros whatever they hold: for runs of which only times and numbers
    /// are wanted, and much faster.
    #[must_use]
    pub fn without_content(self) -> Self {
        self.look().blank = true;
        self
    }

    /// Writes to a page from outside, running or suspended; log-dirty does not see it. A hole stays one.
    pub fn write_unlogged(&self, pfn: Pfn, content: Content) {
        if let Some(Some(page)) = self.look().pages.get_mut(pfn.index()) {
            *page = content;
        }
    }

    /// Makes the `nth` call (from 1, counted since the guest's start) of this kind fail.
    pub fn fail_at(&self, point: FaultPoint, nth: u64) {
        self.look().faults.fail_at(point, nth);
    }

    /// How many calls of this kind there were, the failed ones too.
    #[must_use]
    pub fn calls(&self, point: FaultPoint) -> u64 {
        self.look().faults.calls(point)
    }

    /// What every page holds now; `None` is a hole.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Option<Content>> {
        self.look().pages.clone()
    }

    /// Whether the guest is not suspended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.look().is_running()
    }

    /// Whether log-dirty is on.
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        self.look().dirty.is_some()
    }

    /// Whether the device models log their writes.
    #[must_use]
    pub fn is_logging_device_writes(&self) -> bool {
        self.look().logging_device_writes
    }

    /// How many batches of pages are held.
    #[must_use]
    pub fn batches_held(&self) -> usize {
        Arc::strong_count(&self.look().held) - 1
    }

    /// How many events of the dirty model the guest has seen, those that did nothing too.
    #[must_use]
    pub fn events_applied(&self) -> u64 {
        self.look().events_applied
    }

    /// The guest as it is now.
    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.run();
        state
    }
}

struct State {
    clock: VirtualClock,
    model: Peekable<Box<dyn DirtyModel>>,
    pages: Vec<Option<Content>>,
    events_applied: u64,
    /// Clock time in which the guest did not run: before it was made, and suspended.
    idle: Duration,
    suspended_at: Option<Duration>,
    logging_device_writes: bool,
    silent_ballooning: bool,
    suspend_takes: Duration,
    harvest_takes: Duration,
    peek_takes: Duration,
    /// What was written since the last harvest, while log-dirty is on.
    dirty: Option<PfnSet>,
    /// Pages are sent as zeros.
    blank: bool,
    /// Every batch has a clone of this.
    held: Arc<()>,
    faults: Faults,
}

impl State {
    fn new(config: &SimConfig, model: Box<dyn DirtyModel>, clock: VirtualClock) -> Self {
        let mut pages: Vec<_> =
            (0..config.pages).map(|pfn| Some(Content::initial(config.seed, Pfn(pfn)))).collect();
        for hole in &config.holes {
            if let Some(page) = pages.get_mut(hole.index()) {
                *page = None;
            }
        }
        Self {
            idle: clock.now(),
            clock,
            model: model.peekable(),
            pages,
            events_applied: 0,
            suspended_at: None,
            logging_device_writes: false,
            silent_ballooning: config.silent_ballooning,
            suspend_takes: config.suspend_takes,
            harvest_takes: config.harvest_takes,
            peek_takes: config.peek_takes,
            dirty: None,
            blank: false,
            held: Arc::default(),
            faults: Faults::default(),
        }
    }

    fn is_running(&self) -> bool {
        self.suspended_at.is_none()
    }

    /// How long the guest has run.
    fn guest_time(&self) -> Duration {
        self.suspended_at.unwrap_or_else(|| self.clock.now()).saturating_sub(self.idle)
    }

    fn run(&mut self) {
        let now = self.guest_time();
        while let Some((_, event)) = self.model.next_if(|&(time, _)| time <= now) {
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        self.events_applied += 1;
        let logged = self.is_logged(event);
        let Some(page) = self.pages.get_mut(event.pfn().index()) else { return };
        *page = match (event, *page) {
            (Event::Write(_, content) | Event::DeviceWrite(_, content), Some(_)) => Some(content),
            (Event::BalloonOut(_), Some(_)) => None,
            (Event::BalloonIn(_), None) => Some(Content::ZERO),
            _ => return,
        };
        if let (Some(dirty), true) = (&mut self.dirty, logged) {
            dirty.insert(event.pfn());
        }
    }

    /// Whether log-dirty sees such an event.
    fn is_logged(&self, event: Event) -> bool {
        match event {
            Event::Write(..) => true,
            Event::DeviceWrite(..) => self.logging_device_writes,
            Event::BalloonOut(_) | Event::BalloonIn(_) => !self.silent_ballooning,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("pages", &self.pages.len())
            .field("guest_time", &self.guest_time())
            .field("events_applied", &self.events_applied)
            .field("running", &self.is_running())
            .field("tracking", &self.dirty.is_some())
            .finish_non_exhaustive()
    }
}
