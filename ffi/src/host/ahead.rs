//! Memory for a guest, taken ahead of its data: a page that comes finds its memory there, and mapped.
//!
//! To take memory is half the work of a restore, and a thread of its own can do it while the stream is read. It stays
//! [`AHEAD`] before the last page that came, so that a guest that has much less memory than it may have does not take all.
//! A thread that reads pages and comes to a chunk first takes it itself.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::error::os;
use super::map::{HUGE, index};
use super::{GuestMemory, HostError};

/// Pages taken at a time: a huge page, 2 MiB.
const CHUNK: u64 = HUGE;
/// How far ahead, chunks: 16 MiB, a few batches.
const AHEAD: usize = 8;

/// The thread that takes memory. It ends with this value.
#[derive(Debug)]
pub(super) struct Ahead {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    memory: Arc<GuestMemory>,
    pages: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    chunks: Vec<Chunk>,
    /// The next chunk to take ahead. Those behind it that nobody came for stay free: the guest may have no pages there.
    next: usize,
    /// The chunks before this one are to be taken ahead.
    wanted: usize,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Free,
    /// A thread is taking it.
    InHand,
    Taken,
}

impl Ahead {
    /// For a guest of this many pages.
    pub(super) fn start(memory: Arc<GuestMemory>, pages: u64) -> Result<Self, HostError> {
        let chunks = vec![Chunk::Free; index(pages.div_ceil(CHUNK))];
        let state = Mutex::new(State { chunks, next: 0, wanted: 0, over: false });
        let shared = Arc::new(Shared { memory, pages, state, changed: Condvar::new() });
        let work = shared.clone();
        let thread = thread::Builder::new().name("memory".into()).spawn(move || work.take_ahead());
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(os("start a thread"))?)) })
    }

    /// These pages came: returns when they have memory, and has that of the next ones taken.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub(super) fn came(&self, run: &Range<u64>) -> Result<(), HostError> {
        let chunks = index(run.start / CHUNK)..index(run.end.div_ceil(CHUNK));
        self.shared.want_behind(chunks.end);
        chunks.into_iter().try_for_each(|chunk| self.shared.have(chunk))
    }

    /// Takes the memory of all pages now.
    ///
    /// # Errors
    /// When there is not so much.
    pub(super) fn take_all(&self) -> Result<(), HostError> {
        self.shared.memory.take(0..self.shared.pages)?;
        self.shared.lock().chunks.fill(Chunk::Taken);
        Ok(())
    }

    /// No more pages come. Returns when the thread is over.
    pub(super) fn end(&self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has no result: whom it left without memory took that himself.
            let _ = thread.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn want_behind(&self, chunk: usize) {
        let mut state = self.lock();
        state.next = state.next.max(chunk);
        state.wanted = state.wanted.max((chunk + AHEAD).min(state.chunks.len()));
        self.changed.notify_all();
    }

    /// Returns when the chunk is taken, by whomever.
    fn have(&self, chunk: usize) -> Result<(), HostError> {
        let in_hand = |state: &mut State| state.chunks[chunk] == Chunk::InHand;
        let state = self.changed.wait_while(self.lock(), in_hand);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.chunks[chunk] == Chunk::Taken {
            return Ok(());
        }
        state.chunks[chunk] = Chunk::InHand;
        drop(state);
        self.take(chunk)
    }

    /// The thread's work. What it could not take is left to whoever needs it, who then hears why.
    fn take_ahead(&self) {
        while let Some(chunk) = self.next() {
            if self.take(chunk).is_err() {
                return;
            }
        }
    }

    /// Waits for something to do; `None` when all is over.
    fn next(&self) -> Option<usize> {
        let idle = |state: &mut State| !state.over && !state.skip_to_free();
        let state = self.changed.wait_while(self.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return None;
        }
        let chunk = state.next;
        state.chunks[chunk] = Chunk::InHand;
        Some(chunk)
    }

    /// Takes a chunk that is in this thread's hand.
    fn take(&self, chunk: usize) -> Result<(), HostError> {
        let first = chunk as u64 * CHUNK;
        let done = self.memory.take(first..(first + CHUNK).min(self.pages));
        self.lock().chunks[chunk] = if done.is_ok() { Chunk::Taken } else { Chunk::Free };
        self.changed.notify_all();
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether there is a free chunk among those that are wanted; then it is the next.
    fn skip_to_free(&mut self) -> bool {
        while self.next < self.wanted && self.chunks[self.next] != Chunk::Free {
            self.next += 1;
        }
        self.next < self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 MiB.
    const PAGES: u64 = 1 << 14;
    const AHEAD_PAGES: u64 = AHEAD as u64 * CHUNK;

    fn start(pages: u64) -> (Arc<GuestMemory>, Ahead) {
        let memory = Arc::new(GuestMemory::to_be_filled(pages).unwrap());
        (Arc::clone(&memory), Ahead::start(memory, pages).unwrap())
    }

    fn until_taken(memory: &GuestMemory, pages: u64) {
        while memory.taken() < pages {
            thread::yield_now();
        }
    }

    #[test]
    fn it_stays_within_its_distance_and_leaves_gaps() {
        let (memory, ahead) = start(PAGES);
        ahead.came(&(0..2)).unwrap();
        until_taken(&memory, CHUNK + AHEAD_PAGES);
        ahead.came(&(1..3)).unwrap();
        let far = 20 * CHUNK;
        ahead.came(&(far..far + 10)).unwrap();
        until_taken(&memory, 2 * (CHUNK + AHEAD_PAGES));
        ahead.end();
        assert_eq!(memory.taken(), 2 * (CHUNK + AHEAD_PAGES), "the gap is not taken");
    }

    #[test]
    fn what_comes_into_a_gap_has_memory_too() {
        let (memory, ahead) = start(PAGES);
        ahead.came(&(20 * CHUNK..20 * CHUNK + 1)).unwrap();
        until_taken(&memory, CHUNK + AHEAD_PAGES);
        ahead.came(&(CHUNK - 1..CHUNK + 1)).unwrap();
        assert_eq!(memory.taken(), 3 * CHUNK + AHEAD_PAGES);
    }

    #[test]
    fn it_does_not_go_beyond_the_last_page() {
        let (memory, ahead) = start(PAGES + 1);
        ahead.came(&(PAGES..PAGES + 1)).unwrap();
        ahead.end();
        assert_eq!(memory.taken(), 1);
    }

    #[test]
    fn all_is_taken_once() {
        let (memory, ahead) = start(PAGES);
        ahead.take_all().unwrap();
        assert_eq!(memory.taken(), PAGES);
        memory.release(0..PAGES).unwrap();
        ahead.came(&(0..PAGES)).unwrap();
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn threads_that_come_at_once_all_find_memory() {
        let (memory, ahead) = start(PAGES);
        thread::scope(|scope| {
            for from in 0..4 {
                let (memory, ahead) = (&memory, &ahead);
                scope.spawn(move || {
                    for page in (from..PAGES).step_by(4) {
                        ahead.came(&(page..page + 1)).unwrap();
                        assert!(memory.taken() > page, "page {page}");
                    }
                });
            }
        });
        assert_eq!(memory.taken(), PAGES);
    }
}
