//! Holding a link to a rate.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy::bandwidth::Rate;

use crate::{Abort, Clock, GuestPage, Link, PAGE_SIZE, RateControl, Undelivered};

/// What is sent at one go: this long at the set rate, so that over any 100 ms the rate is off by at most 1 %.
const QUANTUM: Duration = Duration::from_millis(1);
/// How far a link that was slower than the rate may catch up: 2 % of 100 ms.
const CATCH_UP: Duration = Duration::from_millis(2);
/// The longest sleep before the wish to abort, and the rate, are looked at again.
const NAP: Duration = Duration::from_millis(50);
/// Pages sent at one go whatever the rate: 256 KiB.
const MAX_PAGES: usize = 64;

/// A link that takes its bytes at a set rate, which may change at any moment.
pub(crate) struct Pacer<'a, L> {
    link: L,
    clock: &'a dyn Clock,
    abort: &'a Abort,
    control: RateControl,
    pace: Arc<Mutex<Pace>>,
}

/// When the next bytes may go; links that keep one rate together share it.
struct Pace {
    /// The rate that `due` was reckoned with.
    rate: Rate,
    due: Duration,
}

impl<'a, L: Link> Pacer<'a, L> {
    pub(crate) fn new(link: L, clock: &'a dyn Clock, abort: &'a Abort) -> Self {
        let pace = Arc::new(Mutex::new(Pace { rate: Rate::Unlimited, due: Duration::ZERO }));
        Self { link, clock, abort, control: RateControl::new(), pace }
    }

    /// Another link; the rate is kept by both together.
    pub(crate) fn beside(&self, link: L) -> Self {
        let Self { clock, abort, control, pace, .. } = self;
        Self { link, clock: *clock, abort, control: control.clone(), pace: Arc::clone(pace) }
    }

    pub(crate) fn control(&self) -> &RateControl {
        &self.control
    }

    pub(crate) fn undelivered(&self) -> Undelivered {
        self.link.undelivered()
    }

    /// Sends `head`, then the runs of pages.
    pub(crate) fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        if self.take_rate().rate == Rate::Unlimited {
            return self.link.send(head, pages);
        }
        self.send_part(head, &[])?;
        for run in pages {
            let mut rest = *run;
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(self.quantum().min(rest.len()));
                self.send_part(&[], &[part])?;
                rest = behind;
            }
        }
        Ok(())
    }

    /// What is due by another rate than the one that is set now is due at once.
    fn take_rate(&self) -> MutexGuard<'_, Pace> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = self.control.get();
        if rate != pace.rate {
            *pace = Pace { rate, due: self.clock.now() };
        }
        pace
    }

    fn quantum(&self) -> usize {
        match self.control.get() {
            Rate::Unlimited => MAX_PAGES,
            Rate::BitsPerSecond(rate) => pages_per_quantum(rate),
        }
    }

    fn send_part(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.wait()?;
        self.link.send(head, pages)?;
        let mut pace = self.take_rate();
        if let Rate::BitsPerSecond(rate) = pace.rate {
            let bytes = head.len() + pages.iter().map(|run| run.len() * PAGE_SIZE).sum::<usize>();
            let oldest = self.clock.now().saturating_sub(CATCH_UP);
            pace.due = pace.due.max(oldest) + time_for(bytes, rate);
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        loop {
            if let Some(reason) = self.abort.reason() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, reason.to_owned()));
            }
            let Pace { rate, due } = *self.take_rate();
            let now = self.clock.now();
            if rate == Rate::Unlimited || now >= due {
                return Ok(());
            }
            self.clock.sleep_until(due.min(now + NAP));
        }
    }
}

/// Bits in a byte.
const BITS: f64 = 8.0;

fn time_for(bytes: usize, bits_per_second: f64) -> Duration {
    Duration::from_secs_f64(bytes as f64 * BITS / bits_per_second)
}

fn pages_per_quantum(bits_per_second: f64) -> usize {
    (1..MAX_PAGES).rev().find(|&n| time_for(n * PAGE_SIZE, bits_per_second) <= QUANTUM).unwrap_or(1)
}
