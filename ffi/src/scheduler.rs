//! How soon a thread that wakes up gets a processor.

use std::mem::size_of;

/// The shortest slice that Linux grants, nanoseconds.
const SHORTEST: u64 = 100_000;

/// Asks for short slices for this thread: the scheduler of Linux 6.12 and later lets it go before threads with longer ones
/// when it wakes up. While a guest is handed over nothing is more urgent, and the guest's own threads, which begin to run
/// meanwhile, would hold up the word that they do. Older kernels ignore it, and so may any.
pub fn be_prompt() {
    // SAFETY: both take numbers only; 0 is the calling thread, of which they can always tell.
    let (policy, nice) = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
    if policy != libc::SCHED_OTHER {
        // Somebody has decided already how soon it gets one.
        return;
    }
    let attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: policy.unsigned_abs(),
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: SHORTEST,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads a structure of the size that it says, which outlives the call.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}
