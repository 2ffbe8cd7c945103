//! What a guest writes over time, for HIST.
//!
//! "The HIST model depends on a history log of page dirty rates that has been measured beforehand" (Akoush and others,
//! 2010): the guest is run without being moved, and its dirty bitmap is harvested at a fixed interval.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use engine::{DirtyTracker as _, Harvest, PfnSet};
use ffi::host::TrackerChoice;
use sim::Recording;

use crate::Error;
use crate::plan::Cell;
use crate::world::{guest_host, start_guest};

/// How often the dirty bitmap is harvested.
const SLOT: Duration = Duration::from_millis(20);
/// How many times: 10 seconds, in which a guest of 1 GiB that writes 30,000 pages/s goes round once. A longer migration
/// meets the recording again from its start.
const SLOTS: u32 = 500;

/// Where the recording of a cell's guest is kept.
pub(crate) fn file(dir: &Path, cell: &Cell) -> PathBuf {
    let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    dir.join(format!("{}-{}.dirtyrec", plain(&cell.memory), plain(&cell.workload)))
}

/// Records the guest of a cell.
pub(super) fn record(cell: &Cell, file: &Path) -> Result<(), Error> {
    let running = start_guest(cell)?;
    let mut guest = guest_host().attach(running.name(), TrackerChoice::Auto)?;
    let failed = |cause: engine::BoxError| Error::io("track a guest", std::io::Error::other(cause));
    guest.tracker.start().map_err(failed)?;
    let mut recording = Recording::new(cell.pages()?, SLOT);
    let start = Instant::now();
    for slot in 1..=SLOTS {
        thread::sleep((SLOT * slot).saturating_sub(start.elapsed()));
        let mut dirty = PfnSet::empty(cell.pages()?);
        guest.tracker.harvest(&mut dirty, Harvest::Live).map_err(failed)?;
        recording.push(&dirty);
    }
    fs::write(file, recording.to_bytes())
        .map_err(|cause| Error::io(format!("write {}", file.display()), cause))
}

/// A recording that was kept.
pub(crate) fn load(file: &Path) -> Result<Recording, Error> {
    let bytes = fs::read(file).map_err(|cause| Error::io(format!("read {}", file.display()), cause))?;
    Recording::from_bytes(&bytes).map_err(|cause| Error::Refused(format!("{}: {cause}", file.display())))
}
