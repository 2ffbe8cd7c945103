//! The link is let run empty while the guest still runs: what waits there when the guest stops, stops it for longer.

use std::time::Duration;

use super::outlet::Accepted;
use super::{Failure, Save};
use crate::{SourceDomain, Undelivered};

/// How long a link may take. Buffers are made for a round-trip time or two of the link's rate, and few are longer than this.
const WITHIN: Duration = Duration::from_secs(1);
/// How often it is asked.
const LOOK: Duration = Duration::from_micros(200);
/// When so much has been delivered meanwhile, it tells the other side's pace; bytes.
const TELLS: u64 = 1 << 20;

impl<D: SourceDomain> Save<'_, '_, D> {
    /// Waits until the other side has read all, as far as the link can tell.
    pub(super) fn drain_link(&mut self) -> Result<(), Failure> {
        let begun = self.context.clock.now();
        let accepted = self.outlet.barrier()?;
        let mut link = Draining::begin(accepted, begun - self.started, begun);
        while !link.is_read(self.context.clock.now()) && self.context.clock.now() - begun < WITHIN {
            self.context.check_abort()?;
            self.context.clock.sleep_until(self.context.clock.now() + LOOK);
            link.look(self.outlet.barrier()?.undelivered, self.context.clock.now());
        }
        Ok(())
    }
}

/// A link that takes nothing new, and what it has said of itself so far.
struct Draining {
    /// What it held at first, and when.
    first: (u64, Duration),
    /// What it said last, and since when it says the same.
    last: (Undelivered, Duration),
    /// Seconds that the other side takes for a byte.
    pace: f64,
}

impl Draining {
    /// All that it has accepted took this long.
    fn begin(accepted: Accepted, took: Duration, now: Duration) -> Self {
        let Accepted { bytes, undelivered } = accepted;
        let pace = took.as_secs_f64() / bytes.max(1) as f64;
        Self { first: (undelivered.in_flight, now), last: (undelivered, now), pace }
    }

    fn look(&mut self, undelivered: Undelivered, now: Duration) {
        if undelivered == self.last.0 {
            return;
        }
        self.last = (undelivered, now);
        let (held, begun) = self.first;
        let delivered = held.saturating_sub(undelivered.in_flight);
        // The end of a migration may be slower than the whole.
        if delivered >= TELLS && undelivered.in_flight > 0 {
            self.pace = (now - begun).as_secs_f64() / delivered as f64;
        }
    }

    /// Whether nothing is under way, and what may have lain there unread has had its time.
    fn is_read(&self, now: Duration) -> bool {
        let (Undelivered { in_flight, unread }, since) = self.last;
        in_flight == 0 && (now - since).as_secs_f64() >= unread as f64 * self.pace
    }
}
