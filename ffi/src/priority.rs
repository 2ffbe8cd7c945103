//! Who gets a processor first.

/// The highest of the ordinary priorities (`setpriority(2)`).
const HIGHEST: libc::c_int = -20;

/// Puts this thread before all ordinary ones, as far as this user may: while a guest is handed over nothing is more
/// urgent, and the guest's own threads, which begin to run meanwhile, would hold up the word that it does.
pub fn hand_over_first() {
    // SAFETY: takes numbers only; 0 is the calling thread.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, HIGHEST) };
}
