//! Recording a running guest.

use std::time::Duration;

use engine::{Abort, BoxError, Context, Pfn, PfnSet, Source, SourceDomain, WallClock};
use ffi::MapMode;
use sim::Recording;

use crate::domain_name::DomainName;
use crate::guest::Guest;
use crate::host::Process;
use crate::settings::Settings;
use crate::{Error, xen};

/// How often the dirty pages are harvested: as often as the engine looks at them in a migration.
pub(crate) const SLOT: Duration = Duration::from_millis(100);
/// How many pages one question about types names.
const QUERY_PAGES: u64 = 16 << 10;

/// How to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watching {
    /// How long a slot is.
    pub(crate) slot: Duration,
    /// How long in all; at least a slot.
    pub(crate) time: Duration,
}

/// Records what the domain writes. Behind it, and whatever happens, the domain runs as before.
///
/// # Errors
/// When there is no such domain, or it cannot be tracked, or on an abort.
pub(crate) fn watch(
    domain: &DomainName,
    settings: &Settings,
    how: Watching,
    abort: &Abort,
) -> Result<Recording, Error> {
    match domain {
        DomainName::Host(name) => record(Process::attach(name, MapMode::default())?.source(), how, abort),
        DomainName::Xen(name) => xen::watch(name, settings, how, abort),
    }
}

/// The same, for the domain of any world.
pub(crate) fn record<D: SourceDomain>(
    source: Source<'_, D>,
    how: Watching,
    abort: &Abort,
) -> Result<Recording, Error> {
    let pages = source.domain.pfn_limit();
    let memory = memory(source.domain).map_err(|cause| engine::Error::World {
        phase: engine::Phase::Watch,
        step: "asking for the types of the pages",
        cause,
    })?;
    let mut recording = Recording::new(pages, how.slot).with_memory(&memory);
    let slots = how.time.as_nanos().div_ceil(how.slot.as_nanos().max(1)).max(1);
    let plan = engine::Watch { slot: how.slot, slots: u32::try_from(slots).unwrap_or(u32::MAX) };
    let (clock, observer) = (WallClock::start(), &mut ());
    engine::watch(source, plan, &mut Context { clock: &clock, observer, abort }, |dirty| {
        recording.push(dirty);
    })?;
    Ok(recording)
}

/// The pages that have memory.
fn memory(domain: &mut impl SourceDomain) -> Result<PfnSet, BoxError> {
    let limit = domain.pfn_limit();
    let (mut memory, mut types) = (PfnSet::empty(limit), Vec::new());
    for start in (0..limit).step_by(usize::try_from(QUERY_PAGES)?) {
        let pfns: Vec<Pfn> = (start..limit.min(start + QUERY_PAGES)).map(Pfn).collect();
        domain.page_types(&pfns, &mut types)?;
        for (&pfn, _) in pfns.iter().zip(&types).filter(|(_, kind)| kind.is_populated()) {
            memory.insert(pfn);
        }
    }
    Ok(memory)
}
