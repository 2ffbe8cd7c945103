//! The page-modification micro-benchmark of the literature, as a program of its own.
//!
//! Akoush and others ("Predicting the Performance of Virtual Machine Migration", 2010) wrote to the first byte of
//! every page of page-aligned memory, sequentially and in a circle, at a fixed rate, and compared the rate that was
//! set with the one that the dirty bitmap showed. So does this; it shares its writer with the guests that `xc-guest`
//! runs. It needs nothing but a kernel, so it also runs in a Xen guest's initramfs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::{PAGE_SIZE, Pfn};
use ffi::host::{GuestMemory, OwnLog, Registers};
use serde::Serialize;

use crate::Error;
use crate::guest::monotonic_ns;
use crate::workload::{self, Workload};

/// Waits shorter than this are spun: going to sleep and waking up takes longer (ns).
const SPIN_NS: u64 = 20_000;
/// How far the writer may fall behind its rate and still make up for it (ns).
const CATCH_UP_NS: u64 = 100_000_000;
/// How often the dirty bitmap is harvested (ns): a page that is written twice in between counts once, so at a million
/// pages/s no page of 80 MiB or more is.
const HARVEST_NS: u64 = 20_000_000;
/// The kernel may wake the writer so late (ns); the default of 50 us is longer than the time between two writes.
const TIMER_SLACK_NS: u64 = 1;
/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// What was set, and what came of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Achieved {
    /// The rate that was set, pages/s; `None` is as fast as possible.
    pub set: Option<f64>,
    /// Writes/s that were done.
    pub achieved: f64,
    /// Pages/s in the dirty bitmap, if it was looked at.
    pub logged: Option<f64>,
    /// How long it was measured, seconds.
    pub seconds: f64,
}

/// The benchmark: memory, and one writer.
#[derive(Debug)]
pub struct Pagemod {
    memory: Arc<GuestMemory>,
    log: Option<OwnLog>,
    workload: Box<dyn Workload>,
    rate: Option<f64>,
    writer: Registers,
    started_ns: u64,
}

impl Pagemod {
    /// Touches all the memory, and sets the rate: pages/s, or `None` for as fast as possible. With `check` the dirty
    /// bitmap is read along, which needs Linux 6.7.
    ///
    /// # Errors
    /// When there is no such memory, the rate cannot be paced, or the kernel has no dirty bitmap for it.
    pub fn new(pages: u64, rate: Option<f64>, check: bool) -> Result<Self, Error> {
        let spec = rate.map_or_else(|| "pagemod:rate=max".to_owned(), |rate| format!("pagemod:rate={rate}"));
        let workload = workload::by_name(&spec, 1)?;
        let memory = Arc::new(GuestMemory::create(pages)?);
        (0..pages).for_each(|page| memory.words(Pfn(page))[0].store(0, Ordering::Relaxed));
        let log = if check { Some(OwnLog::start(&memory)?) } else { None };
        // Without it the rate is a little less exact.
        let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NS);
        let started_ns = monotonic_ns();
        Ok(Self { memory, log, workload, rate, writer: Registers::default(), started_ns })
    }

    /// The memory, bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.memory.pages().len() as u64 * PAGE_SIZE as u64
    }

    /// Writes for some time.
    ///
    /// # Errors
    /// When the dirty bitmap cannot be read any more.
    pub fn run(&mut self, time: Duration) -> Result<Achieved, Error> {
        let (start, before) = (self.now(), self.writer.writes);
        let end = start.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let mut logged = self.harvest()?.map(|_| 0);
        while self.now() < end {
            self.write_until(end.min(self.now() + HARVEST_NS));
            logged = logged.zip(self.harvest()?).map(|(sum, new)| sum + new);
        }
        let seconds = (self.now() - start) as f64 / SECOND;
        Ok(Achieved {
            set: self.rate,
            achieved: (self.writer.writes - before) as f64 / seconds,
            logged: logged.map(|pages| pages as f64 / seconds),
            seconds,
        })
    }

    fn harvest(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.log.as_mut().map(OwnLog::take).transpose()?)
    }

    /// Time since the start, ns.
    fn now(&self) -> u64 {
        monotonic_ns() - self.started_ns
    }

    fn write_until(&mut self, end: u64) {
        loop {
            let now = self.now();
            if now >= end {
                return;
            }
            if self.writer.due_ns > now {
                rest(self.writer.due_ns.min(end) - now);
                continue;
            }
            self.write();
            let due = self.writer.due_ns.max(now.saturating_sub(CATCH_UP_NS));
            self.writer.due_ns = self.workload.after(due, now);
        }
    }

    /// Writes the first byte of the next page.
    fn write(&mut self) {
        let page = self.workload.pick(&mut self.writer, self.memory.pages().len() as u64);
        self.writer.writes += 1;
        // The other bytes of the word stay zero.
        self.memory.words(Pfn(page))[0].store(self.writer.writes & 0xff, Ordering::Relaxed);
    }
}

fn rest(ns: u64) {
    if ns < SPIN_NS {
        std::hint::spin_loop();
    } else {
        std::thread::sleep(Duration::from_nanos(ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 MiB.
    const PAGES: u64 = 8192;

    #[test]
    fn the_dirty_bitmap_shows_the_rate_that_was_set() {
        let mut pagemod = Pagemod::new(PAGES, Some(20_000.0), true).unwrap();
        let achieved = pagemod.run(Duration::from_millis(500)).unwrap();
        let logged = achieved.logged.unwrap();
        // The machine may be too busy for the rate, but bitmap and writer always agree.
        assert!((logged / achieved.achieved - 1.0).abs() < 0.01, "{achieved:?}");
        assert!(achieved.achieved < 20_000.0 * 1.2, "{achieved:?}");
    }

    #[test]
    fn pages_are_written_in_a_circle() {
        let mut pagemod = Pagemod::new(16, Some(1e6), false).unwrap();
        (0..20).for_each(|_| pagemod.write());
        let first = |page| pagemod.memory.words(Pfn(page))[0].load(Ordering::Relaxed);
        assert_eq!(
            (0..16).map(first).collect::<Vec<_>>(),
            [17, 18, 19, 20, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
        );
    }

    #[test]
    fn a_rate_that_cannot_be_paced_is_refused() {
        assert!(Pagemod::new(16, Some(0.0), false).is_err());
        assert!(Pagemod::new(16, Some(1e9), false).is_err());
    }
}
