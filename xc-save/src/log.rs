//! The log on standard error, off unless `-v` is given.

use std::io;

use tracing::Level;
use tracing_subscriber::fmt::time::uptime;

/// Switches it on: 1 says what is done, 2 how, 3 everything.
pub fn init(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level)
        .with_target(false)
        .with_timer(uptime())
        .with_ansi(false);
    // Only the first one counts.
    let _ = log.try_init();
}
