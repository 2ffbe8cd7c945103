//! A running guest process as the source of a save.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    BoxError, GuestPage, PageBatch, PageEntry, PageType, Pfn, PfnSet, SourceDomain, Toolstack, libxc,
};
use libxc::{DomainHeader, DomainKind, Record, TscInfo};
use nix::time::{ClockId, clock_gettime};

use super::control::{Control, Shared};
use super::map::{Access, Mapping, Memfd, PAGE, index};
use super::protocol::{Lines, Reply, Request};
use super::{GuestConfig, Host, HostError, HostTracker, P2m, TrackerChoice, context, memory};

/// The Xen release whose stream format is written. No Xen wrote it: the header has no value for "none" (0 means a
/// converted legacy stream), and 4.17 is the release of Debian 12, whose format this is.
const XEN: (u32, u32) = (4, 17);

/// A guest under this process's control, in the parts that a save needs.
///
/// When the last part is dropped, or the process dies, the guest runs on untracked, unless it was given away.
#[derive(Debug)]
pub struct HostGuest {
    /// Its memory and state.
    pub source: HostSource,
    /// Its log-dirty.
    pub tracker: HostTracker,
    /// Its suspend and resume.
    pub toolstack: HostToolstack,
    /// Its name and its end.
    pub handle: GuestHandle,
}

impl Host {
    /// Takes control of a guest; one at a time can.
    ///
    /// # Errors
    /// When there is no such guest, another controls it, or its memory cannot be mapped.
    pub fn attach(&self, name: &str, choice: TrackerChoice) -> Result<HostGuest, HostError> {
        let mut control = Control::new(name, Lines::new(self.connect(name)?))?;
        let attachment = match control.call(&Request::Attach)? {
            Reply::Attached(attachment) => attachment,
            other => return Err(control.nonsense(&format!("{other:?}"))),
        };
        let config = attachment.config;
        config.check()?;
        let pid = control.peer()?;
        let memfd = Memfd::of_process(pid, attachment.memory, memory::file_size(config.pages), Access::Read)?;
        let map = Some(Arc::new(Mapping::new(&memfd, Access::Read)?));
        let p2m = Arc::new(P2m::of_process(pid, attachment.p2m, config.pages)?);

        let end = attachment.address.checked_add(memory::file_size(config.pages));
        if end.is_none() || attachment.address % PAGE != 0 {
            return Err(control.nonsense(&format!("its memory is at {:#x}", attachment.address)));
        }
        let addresses = attachment.address..attachment.address + config.pages * PAGE;

        let shared = Shared::new(control);
        Ok(HostGuest {
            tracker: HostTracker::new(shared.clone(), p2m.clone(), choice, pid, addresses),
            toolstack: HostToolstack { shared: shared.clone() },
            source: HostSource { shared: shared.clone(), memfd, map, p2m, pages: config.pages },
            handle: GuestHandle { shared, config },
        })
    }
}

/// The memory of a guest process, read only; mapped once and whole, unless [`HostSource::map_by_batch`] was called.
///
/// A page that the guest's balloon gives back between the look at the p2m and the read is read as zeros, and the
/// read makes the memory file hold a zero page there again until the guest ends. The copy itself is repaired: the
/// balloon logs the page, so it is looked at again.
#[derive(Debug)]
pub struct HostSource {
    shared: Shared,
    memfd: Memfd,
    /// All of it, unless each batch is mapped by itself.
    map: Option<Arc<Mapping>>,
    p2m: Arc<P2m>,
    pages: u64,
}

impl HostSource {
    /// From here on only the batches that are being sent are mapped: `MapMode::Batch`.
    pub fn map_by_batch(&mut self) {
        self.map = None;
    }

    /// A map with these pages in it, and the first page of that map.
    fn map_with(&self, pfns: &[Pfn]) -> Result<(Arc<Mapping>, u64), HostError> {
        if let Some(map) = &self.map {
            return Ok((map.clone(), 0));
        }
        let first = pfns.iter().min().map_or(0, |pfn| pfn.0);
        let end = pfns.iter().max().map_or(0, |pfn| pfn.0 + 1);
        Ok((Arc::new(Mapping::part(&self.memfd, Access::Read, first..end)?), first))
    }

    fn kind(&self, pfn: Pfn) -> PageType {
        if self.p2m.contains(pfn) { PageType::NoTab } else { PageType::XTab }
    }
}

impl SourceDomain for HostSource {
    type Batch = HostBatch;

    fn header(&self) -> DomainHeader {
        DomainHeader { kind: DomainKind::Hvm, xen_major: XEN.0, xen_minor: XEN.1 }
    }

    fn pfn_limit(&self) -> u64 {
        self.pages
    }

    fn page_types(&mut self, pfns: &[Pfn], types: &mut Vec<PageType>) -> Result<(), BoxError> {
        types.clear();
        types.extend(pfns.iter().map(|&pfn| self.kind(pfn)));
        Ok(())
    }

    /// From the bitmap as it is: the suspended guest waits for this.
    fn populated(&mut self) -> Result<PfnSet, BoxError> {
        Ok(self.p2m.pages())
    }

    fn batch(&mut self, pfns: &[Pfn]) -> Result<HostBatch, BoxError> {
        let entries: Vec<_> = pfns.iter().map(|&pfn| PageEntry { pfn, kind: self.kind(pfn) }).collect();
        let (map, first) = self.map_with(pfns)?;
        let mut runs = Vec::new();
        for entry in entries.iter().filter(|entry| entry.kind.has_data()) {
            join(&mut runs, entry.pfn.0 - first);
        }
        // Here and not in the thread that writes, which has enough to do.
        runs.iter().for_each(|run| map.map_for_reading(run.clone()));
        Ok(HostBatch { map, entries, runs })
    }

    fn static_records(&mut self) -> Result<Vec<Record>, BoxError> {
        Ok(Vec::new())
    }

    fn records_before_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        Ok(Vec::new())
    }

    /// The guest has no TSC of its own, but every HVM stream has the record: mode 0 is Xen's default, the
    /// elapsed time is the guest's running time.
    fn records_after_memory(&mut self) -> Result<Vec<Record>, BoxError> {
        let session = self.shared.lock();
        let state = session.state.as_ref().ok_or_else(|| session.control.nonsense("it is not suspended"))?;
        let tsc = TscInfo { mode: 0, khz: 0, nsec: state.clock_ns, incarnation: state.migrations };
        Ok(vec![Record::TscInfo(tsc), Record::HvmContext(context::encode(state)?)])
    }
}

/// Adds a page to the last run if it is adjacent, else starts a new one.
fn join(runs: &mut Vec<Range<u64>>, page: u64) {
    match runs.last_mut() {
        Some(run) if run.end == page => run.end += 1,
        _ => runs.push(page..page + 1),
    }
}

/// Pages of a guest; they stay mapped while this lives.
#[derive(Debug)]
pub struct HostBatch {
    map: Arc<Mapping>,
    entries: Vec<PageEntry>,
    /// Of the map's pages.
    runs: Vec<Range<u64>>,
}

impl PageBatch for HostBatch {
    fn entries(&self) -> &[PageEntry] {
        &self.entries
    }

    fn runs(&self) -> impl Iterator<Item = &[GuestPage]> {
        self.runs.iter().map(|run| &self.map.pages()[index(run.start)..index(run.end)])
    }
}

/// Suspends and resumes a guest process.
#[derive(Debug)]
pub struct HostToolstack {
    shared: Shared,
}

impl Toolstack for HostToolstack {
    fn suspend(&mut self) -> Result<Option<Duration>, BoxError> {
        let mut session = self.shared.lock();
        match session.control.call(&Request::Suspend)? {
            Reply::Suspended(state) => {
                let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
                let stood = now.saturating_sub(Duration::from_nanos(state.parked_at_ns));
                session.state = Some(state);
                Ok(Some(stood))
            }
            other => Err(session.control.nonsense(&format!("{other:?}")).into()),
        }
    }

    /// Parks the vCPUs for a moment, which is what a suspend waits for.
    fn suspend_cost(&mut self) -> Result<Option<Duration>, BoxError> {
        let mut session = self.shared.lock();
        let start = Instant::now();
        session.control.order(&Request::Park { on: true })?;
        let parked = start.elapsed();
        session.control.order(&Request::Park { on: false })?;
        Ok(Some(parked))
    }

    fn resume(&mut self) -> Result<(), BoxError> {
        let mut session = self.shared.lock();
        session.control.order(&Request::Unsuspend)?;
        session.state = None;
        Ok(())
    }
}

/// What becomes of a guest as a whole.
#[derive(Debug)]
pub struct GuestHandle {
    shared: Shared,
    config: GuestConfig,
}

impl GuestHandle {
    /// What the guest is made of, for whoever shall build it again.
    #[must_use]
    pub fn config(&self) -> &GuestConfig {
        &self.config
    }

    /// Makes a suspended guest another host's: it is called `NAME--migratedaway` and stays suspended, even when
    /// this process ends, until it is destroyed or taken back.
    ///
    /// # Errors
    /// When it is not suspended, or that name is taken; then it is as before.
    pub fn give_away(&mut self) -> Result<(), HostError> {
        self.shared.lock().control.order(&Request::GiveAway)
    }

    /// Takes a guest that was given away back: it has its name again, and runs.
    ///
    /// # Errors
    /// When it was not given away, or its name is taken meanwhile; then it is as before.
    pub fn take_back(&mut self) -> Result<(), HostError> {
        let mut session = self.shared.lock();
        session.control.order(&Request::TakeBack)?;
        session.state = None;
        Ok(())
    }

    /// Ends the guest. Its memory is free when the other parts of it are dropped.
    ///
    /// # Errors
    /// When the connection to it is lost.
    pub fn destroy(&mut self) -> Result<(), HostError> {
        self.shared.lock().control.order(&Request::Destroy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_pages_are_one_run() {
        let mut runs = Vec::new();
        for page in [3, 4, 5, 9, 11, 12] {
            join(&mut runs, page);
        }
        assert_eq!(runs, [3..6, 9..10, 11..13]);
    }
}
