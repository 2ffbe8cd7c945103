//! Frequent looks at how many frames a guest has.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Error;
use super::domain::Domain;
use super::frame_watch::FrameWatch;

/// A guest takes longer than this to give a page back and take another for it, but for one that does it on purpose.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A thread that looks, as long as this lives.
#[derive(Debug)]
pub(super) struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    pub(super) fn start(domid: u32, watch: Arc<FrameWatch>) -> Result<Self, Error> {
        let domain = Domain::open(domid)?;
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                // A guest that is gone is found out by those who read it.
                let Ok(info) = domain.info() else { return };
                watch.look(info.tot_pages);
            }
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say; a panic in it was printed.
            let _ = thread.join();
        }
    }
}
