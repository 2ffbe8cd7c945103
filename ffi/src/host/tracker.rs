//! Log-dirty of a host guest, from outside.

use std::env;
use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use engine::{BoxError, DirtyTracker, Harvest, PfnSet};

use super::control::Shared;
use super::map::PAGE;
use super::pagemap::{Pagemap, Scan};
use super::protocol::{Request, TrackerKind};
use super::soft_dirty::SoftDirty;
use super::{GuestMemory, HostError, P2m, Tracking};

/// Which trackers may be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackerChoice {
    /// The first that proves itself: wp-async, then soft-dirty.
    #[default]
    Auto,
    /// This one or none.
    Only(TrackerKind),
}

impl TrackerChoice {
    /// The choice in `XC_TRACKER`, else [`TrackerChoice::Auto`].
    ///
    /// # Errors
    /// [`HostError::Config`] for an unknown word.
    pub fn from_env() -> Result<Self, HostError> {
        env::var("XC_TRACKER").map_or(Ok(Self::Auto), |word| word.parse())
    }

    fn kinds(self) -> Vec<TrackerKind> {
        match self {
            Self::Auto => vec![TrackerKind::WpAsync, TrackerKind::SoftDirty],
            Self::Only(kind) => vec![kind],
        }
    }
}

impl FromStr for TrackerChoice {
    type Err = HostError;

    fn from_str(word: &str) -> Result<Self, HostError> {
        let kinds = [TrackerKind::WpAsync, TrackerKind::SoftDirty];
        match kinds.into_iter().find(|kind| kind.word() == word) {
            Some(kind) => Ok(Self::Only(kind)),
            None if word == "auto" => Ok(Self::Auto),
            None => Err(HostError::Config {
                field: "tracker",
                value: word.to_owned(),
                allowed: "auto, wp-async or soft-dirty".to_owned(),
            }),
        }
    }
}

/// How the bits are read.
#[derive(Debug)]
enum Backend {
    WpAsync(Pagemap),
    SoftDirty(SoftDirty),
}

impl Backend {
    fn open(kind: TrackerKind, pid: u32) -> Result<Self, HostError> {
        match kind {
            TrackerKind::WpAsync => Pagemap::open(pid).map(Self::WpAsync),
            TrackerKind::SoftDirty => SoftDirty::open(pid).map(Self::SoftDirty),
        }
    }

    /// Reports the written pages among these addresses, and forgets them.
    fn take(&mut self, at: Range<u64>, found: impl FnMut(Range<u64>)) -> Result<(), HostError> {
        match self {
            Self::WpAsync(pagemap) => pagemap.scan(at, Scan::GetAndClear, found),
            Self::SoftDirty(bits) => bits.read(at, found).and_then(|()| bits.clear()),
        }
    }

    fn peek(&mut self, at: Range<u64>, found: impl FnMut(Range<u64>)) -> Result<(), HostError> {
        match self {
            Self::WpAsync(pagemap) => pagemap.scan(at, Scan::Peek, found),
            Self::SoftDirty(bits) => bits.read(at, found),
        }
    }
}

/// Sees which pages a guest process writes, and which its balloon takes and gives.
#[derive(Debug)]
pub struct HostTracker {
    shared: Shared,
    p2m: Arc<P2m>,
    choice: TrackerChoice,
    pid: u32,
    /// Where the guest's pages are in its address space; the proof page lies right behind.
    memory: Range<u64>,
    backend: Option<Backend>,
}

impl HostTracker {
    pub(super) fn new(
        shared: Shared,
        p2m: Arc<P2m>,
        choice: TrackerChoice,
        pid: u32,
        memory: Range<u64>,
    ) -> Self {
        Self { shared, p2m, choice, pid, memory, backend: None }
    }

    /// The tracker that is at work.
    #[must_use]
    pub fn kind(&self) -> Option<TrackerKind> {
        self.backend.as_ref().map(|backend| match backend {
            Backend::WpAsync(_) => TrackerKind::WpAsync,
            Backend::SoftDirty(_) => TrackerKind::SoftDirty,
        })
    }

    fn order(&self, request: &Request) -> Result<(), HostError> {
        self.shared.lock().control.order(request)
    }

    /// Switches one kind of tracking on and has it prove itself.
    fn try_start(&self, kind: TrackerKind) -> Result<Backend, HostError> {
        self.order(&Request::Track { how: Some(kind) })?;
        let proven = Backend::open(kind, self.pid).and_then(|mut backend| {
            prove(&mut backend, self.memory.end..self.memory.end + PAGE, || self.order(&Request::Prove))?;
            Ok(backend)
        });
        if proven.is_err() {
            self.order(&Request::Track { how: None })?;
        }
        proven
    }

    fn harvest_pages(&mut self, into: &mut PfnSet) -> Result<(), HostError> {
        let memory = self.memory.clone();
        let backend = self.backend.as_mut().ok_or(HostError::Proof("tracking is not on"))?;
        backend.take(memory.clone(), |run| insert(into, &memory, run))
    }
}

/// Has the guest write to its proof page, and expects to see that write, once, and nothing before it. Some kernels
/// accept every request and yet log nothing.
fn prove(
    backend: &mut Backend,
    proof_page: Range<u64>,
    write: impl FnOnce() -> Result<(), HostError>,
) -> Result<(), HostError> {
    let mut seen = || {
        let mut pages = 0;
        backend.take(proof_page.clone(), |run| pages += (run.end - run.start) / PAGE)?;
        Ok::<_, HostError>(pages)
    };
    seen()?;
    if seen()? != 0 {
        return Err(HostError::Proof("it shows a write where there was none"));
    }
    write()?;
    match seen()? {
        1 => Ok(()),
        _ => Err(HostError::Proof("the guest wrote a page and the kernel did not report it")),
    }
}

/// Tries each way to track writes on memory of this process: which of them this kernel has, and what is wrong with
/// the others.
#[must_use]
pub fn probe_trackers() -> Vec<(TrackerKind, Result<(), HostError>)> {
    let try_one = |kind| {
        let memory = Arc::new(GuestMemory::create(1)?);
        let tracking = Tracking::start(kind, &memory)?;
        let mut backend = Backend::open(tracking.kind(), std::process::id())?;
        let end = memory.address() + memory.len();
        prove(&mut backend, end - PAGE..end, || {
            memory.write_proof();
            Ok(())
        })
    };
    TrackerChoice::Auto.kinds().into_iter().map(|kind| (kind, try_one(kind))).collect()
}

/// Adds the pages at these addresses.
fn insert(into: &mut PfnSet, memory: &Range<u64>, run: Range<u64>) {
    let page = |address: u64| address.saturating_sub(memory.start) / PAGE;
    into.insert_run(page(run.start)..page(run.end));
}

impl DirtyTracker for HostTracker {
    fn start(&mut self) -> Result<(), BoxError> {
        // Everything is sent once anyway: what the balloon did before now does not count.
        self.p2m.take_log(&mut PfnSet::empty((self.memory.end - self.memory.start) / PAGE));
        let mut reasons = String::new();
        for kind in self.choice.kinds() {
            match self.try_start(kind) {
                Ok(backend) => {
                    self.backend = Some(backend);
                    return Ok(());
                }
                Err(e) => {
                    let between = if reasons.is_empty() { "" } else { "; " };
                    let _ = write!(reasons, "{between}{}: {}", kind.word(), chain(&e));
                }
            }
        }
        let name = self.shared.lock().control.name().to_owned();
        Err(HostError::NoTracker { name, reasons }.into())
    }

    fn harvest(&mut self, into: &mut PfnSet, when: Harvest) -> Result<(), BoxError> {
        let park = when == Harvest::Live && matches!(self.backend, Some(Backend::SoftDirty(_)));
        if park {
            self.order(&Request::Park { on: true })?;
        }
        let harvested = self.harvest_pages(into);
        if park {
            self.order(&Request::Park { on: false })?;
        }
        self.p2m.take_log(into);
        Ok(harvested?)
    }

    fn peek(&mut self, into: &mut PfnSet) -> Result<(), BoxError> {
        let memory = self.memory.clone();
        let backend = self.backend.as_mut().ok_or(HostError::Proof("tracking is not on"))?;
        backend.peek(memory.clone(), |run| insert(into, &memory, run))?;
        self.p2m.peek_log(into);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), BoxError> {
        if self.backend.take().is_some() {
            self.order(&Request::Track { how: None })?;
        }
        Ok(())
    }
}

/// An error with all its causes, for a text that names several errors.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_words() {
        assert_eq!("auto".parse::<TrackerChoice>().unwrap(), TrackerChoice::Auto);
        assert_eq!("soft-dirty".parse::<TrackerChoice>().unwrap().kinds(), [TrackerKind::SoftDirty]);
        assert!("kvm".parse::<TrackerChoice>().unwrap_err().to_string().contains("auto, wp-async"));
    }
}
