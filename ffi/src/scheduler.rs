//! How soon a thread that wakes up gets a processor.

use std::io;
use std::marker::PhantomData;
use std::mem::size_of;

/// Above everything that is not real-time, and below all else that is.
const LOWEST_PRIORITY: u32 = 1;
/// The shortest slice that Linux grants, nanoseconds.
const SHORTEST: u64 = 100_000;

/// The calling thread is prompt until this is dropped.
#[derive(Debug)]
pub struct Prompt {
    /// Whether there is something to undo.
    changed: bool,
    /// It belongs to its thread.
    here: PhantomData<*const ()>,
}

/// Lets this thread have a processor as soon as it has something to do. While a guest is handed over nothing is more urgent,
/// and the guest's own threads, which begin to run meanwhile, would hold up the word that they do.
///
/// Who may gets the lowest real-time priority; threads and processes that it starts do not. Others ask for short slices, by
/// which the scheduler of Linux 6.12 and later lets a thread go before those with longer ones when it wakes up, if it has
/// had no more than its share. Older kernels ignore it, and so may any.
#[must_use]
pub fn be_prompt() -> Prompt {
    // SAFETY: it takes a number only; 0 is the calling thread, of which it can always tell.
    let policy = unsafe { libc::sched_getscheduler(0) };
    // If it is another one, somebody has decided already how soon the thread gets a processor.
    let changed = policy == libc::SCHED_OTHER && (be_first() || be_brief());
    Prompt { changed, here: PhantomData }
}

fn be_first() -> bool {
    set(libc::sched_attr {
        sched_policy: libc::SCHED_FIFO.unsigned_abs(),
        sched_flags: libc::SCHED_FLAG_RESET_ON_FORK.unsigned_abs().into(),
        sched_priority: LOWEST_PRIORITY,
        ..ordinary()
    })
    .is_ok()
}

fn be_brief() -> bool {
    set(libc::sched_attr { sched_runtime: SHORTEST, ..ordinary() }).is_ok()
}

impl Drop for Prompt {
    fn drop(&mut self) {
        if self.changed {
            // A thread may always have less.
            let _ = set(ordinary());
        }
    }
}

/// As threads are, with the priority that this one's process was given.
fn ordinary() -> libc::sched_attr {
    libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: libc::SCHED_OTHER.unsigned_abs(),
        sched_flags: 0,
        // SAFETY: as in `be_prompt`.
        sched_nice: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    }
}

/// For the calling thread.
fn set(attributes: libc::sched_attr) -> io::Result<()> {
    // SAFETY: the kernel reads a structure of the size that it says, which outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn policy() -> i32 {
        // SAFETY: as in `be_prompt`.
        unsafe { libc::sched_getscheduler(0) & !libc::SCHED_RESET_ON_FORK }
    }

    #[test]
    fn only_this_thread_is_prompt_and_only_for_a_while() {
        thread::spawn(|| {
            let before = policy();
            let prompt = be_prompt();
            // What a thread may have differs from machine to machine.
            assert!(policy() == before || prompt.changed);
            assert_eq!(thread::spawn(policy).join().unwrap(), before);
            drop(prompt);
            assert_eq!(policy(), before);
        })
        .join()
        .unwrap();
    }
}
