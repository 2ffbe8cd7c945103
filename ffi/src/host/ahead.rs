//! Memory for a guest, taken ahead of its data: a page that comes finds its memory there.
//!
//! To take memory is half the work of a restore, and a thread of its own can do it while the stream is read. It stays
//! [`AHEAD`] before the last page that came, so that a guest that has much less memory than it may have does not take all.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::HostError;
use super::error::os;
use super::map::Memfd;

/// How far ahead, pages: 16 MiB, a few batches.
const AHEAD: u64 = 4096;
/// Pages taken at a time: 1 MiB.
const CHUNK: u64 = 256;

/// The thread that takes memory. It ends with this value.
#[derive(Debug)]
pub(super) struct Ahead {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Result<(), HostError>>>>,
    pages: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Below this page all that was asked for has memory, or will have it in a moment.
    taken: u64,
    /// Up to this page memory is to be taken.
    wanted: u64,
    over: bool,
}

impl Ahead {
    /// For a memory file of this many pages.
    pub(super) fn start(memory: Memfd, pages: u64) -> Result<Self, HostError> {
        let shared = Arc::<Shared>::default();
        let work = shared.clone();
        let thread = thread::Builder::new().name("memory".into()).spawn(move || work.take(&memory));
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(os("start a thread"))?)), pages })
    }

    /// These pages came: returns those of them that the caller has to take itself, and has the next ones taken.
    pub(super) fn came(&self, run: &Range<u64>) -> Range<u64> {
        let mut state = self.shared.lock();
        let left = run.start.max(state.taken).min(run.end)..run.end;
        state.taken = state.taken.max(run.end);
        state.wanted = state.wanted.max(run.end.saturating_add(AHEAD).min(self.pages));
        self.shared.changed.notify_one();
        left
    }

    /// No more pages come. Returns when the thread is over.
    ///
    /// # Errors
    /// When it could not get memory.
    pub(super) fn end(&self) -> Result<(), HostError> {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
        let died = || Err(HostError::Unfit("the thread that takes memory died".into()));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| died()))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Whoever wants to know has called `end`.
        let _ = self.end();
    }
}

impl Shared {
    fn take(&self, memory: &Memfd) -> Result<(), HostError> {
        while let Some(run) = self.next() {
            memory.allocate(run)?;
        }
        Ok(())
    }

    /// Waits for something to do; `None` when all is over.
    fn next(&self) -> Option<Range<u64>> {
        let idle = |state: &mut State| !state.over && state.taken >= state.wanted;
        let state = self.changed.wait_while(self.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let run = state.taken..state.wanted.min(state.taken + CHUNK);
        state.taken = run.end;
        (!state.over).then_some(run)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::map::PAGE;

    /// 64 MiB.
    const PAGES: u64 = 1 << 14;

    fn allocated(memory: &Memfd) -> u64 {
        memory.allocated().unwrap() / PAGE
    }

    #[test]
    fn it_stays_within_its_distance_and_leaves_gaps() {
        let memory = Memfd::create("test", PAGES * PAGE).unwrap();
        let ahead = Ahead::start(memory.try_clone().unwrap(), PAGES).unwrap();
        // The first pages are the caller's, and those behind a gap.
        assert_eq!(ahead.came(&(0..2)), 0..2);
        while allocated(&memory) < AHEAD {
            thread::yield_now();
        }
        assert_eq!(ahead.came(&(1..3)), 3..3, "taken already");
        assert_eq!(ahead.came(&(10_000..10_010)), 10_000..10_010);
        ahead.end().unwrap();
        let most = (AHEAD + 1) + AHEAD;
        assert!((AHEAD..=most).contains(&allocated(&memory)), "{} pages", allocated(&memory));
    }

    #[test]
    fn it_does_not_go_beyond_the_last_page() {
        let memory = Memfd::create("test", PAGES * PAGE).unwrap();
        let ahead = Ahead::start(memory.try_clone().unwrap(), PAGES).unwrap();
        assert_eq!(ahead.came(&(PAGES - 1..PAGES)), PAGES - 1..PAGES);
        ahead.end().unwrap();
        assert_eq!(allocated(&memory), 0);
    }
}
