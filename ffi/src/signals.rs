//! Signals as a wish to stop.

use std::ffi::c_int;
use std::{io, thread};

use engine::Abort;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// From now on SIGINT, SIGTERM and SIGHUP raise `abort`, with the signal's name as the reason, and end nothing by
/// themselves; a second one changes nothing, for the first is being handled.
///
/// A signal that is ignored already stays ignored: `nohup` means it, and so does a shell's `&`.
///
/// # Errors
/// When the system gives no handler or no thread.
pub fn abort_on_signals(abort: &Abort) -> io::Result<()> {
    let heard: Vec<c_int> = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&s| !is_ignored(s)).collect();
    let mut signals = Signals::new(heard)?;
    let abort = abort.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            abort.raise(signal_hook::low_level::signal_name(signal).unwrap_or("signal"));
        }
    })?;
    Ok(())
}

fn is_ignored(signal: c_int) -> bool {
    // SAFETY: all zeros is a valid sigaction, and `sigaction` without a new one only fills it.
    let action = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action
    };
    action.sa_sigaction == libc::SIG_IGN
}
