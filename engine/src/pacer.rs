//! Holding a link to a rate.

use std::io;
use std::time::Duration;

use policy::bandwidth::Rate;

use crate::{Abort, Clock, GuestPage, Link, PAGE_SIZE};

/// What is sent at one go: this long at the set rate, so that over any 100 ms the rate is off by at most 1 %.
const QUANTUM: Duration = Duration::from_millis(1);
/// How far a link that was slower than the rate may catch up: 2 % of 100 ms.
const CATCH_UP: Duration = Duration::from_millis(2);
/// The longest sleep before the wish to abort is looked at again.
const NAP: Duration = Duration::from_millis(50);
/// Pages sent at one go whatever the rate: 256 KiB.
const MAX_PAGES: usize = 64;

/// A link that takes its bytes at a set rate.
pub(crate) struct Pacer<'a, L> {
    link: L,
    clock: &'a dyn Clock,
    abort: &'a Abort,
    rate: Rate,
    /// When the next bytes may go.
    due: Duration,
}

impl<'a, L: Link> Pacer<'a, L> {
    pub(crate) fn new(link: L, clock: &'a dyn Clock, abort: &'a Abort) -> Self {
        Self { link, clock, abort, rate: Rate::Unlimited, due: Duration::ZERO }
    }

    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
        self.due = self.clock.now();
    }

    /// Sends `head`, then the runs of pages.
    pub(crate) fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        let Rate::BitsPerSecond(rate) = self.rate else { return self.link.send(head, pages) };
        self.send_part(rate, head, &[])?;
        let quantum = pages_per_quantum(rate);
        for part in pages.iter().flat_map(|run| run.chunks(quantum)) {
            self.send_part(rate, &[], &[part])?;
        }
        Ok(())
    }

    fn send_part(&mut self, rate: f64, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.wait()?;
        self.link.send(head, pages)?;
        let bytes = head.len() + pages.iter().map(|run| run.len() * PAGE_SIZE).sum::<usize>();
        let oldest = self.clock.now().saturating_sub(CATCH_UP);
        self.due = self.due.max(oldest) + time_for(bytes, rate);
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        loop {
            if let Some(reason) = self.abort.reason() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, reason.to_owned()));
            }
            let now = self.clock.now();
            if now >= self.due {
                return Ok(());
            }
            self.clock.sleep_until(self.due.min(now + NAP));
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
