//! Watching which pages a guest writes, without moving it.

use std::time::Duration;

use crate::held::Held;
use crate::{Context, Error, PfnSet, Phase, Source, SourceDomain};

/// The longest sleep before the wish to abort is looked at again.
const NAP: Duration = Duration::from_millis(50);

/// For how long to watch: in equal slots, at the end of each of which the dirty pages are harvested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How long a slot is.
    pub slot: Duration,
    /// How many there are.
    pub slots: u32,
}

/// Shows `saw` the pages that the guest wrote in each slot, in order. A harvest that comes late shows more, and the
/// next one less.
///
/// **Behind it, whatever happened, log-dirty is off**; only [`Error::NotUndone`] says that this could not be reached.
///
/// # Errors
/// When the guest cannot be tracked, or on an abort.
pub fn watch<D: SourceDomain>(
    source: Source<'_, D>,
    plan: Watch,
    context: &mut Context<'_>,
    saw: impl FnMut(&PfnSet),
) -> Result<(), Error> {
    let Source { domain, tracker, toolstack } = source;
    let mut held = Held::new(tracker, toolstack);
    let result = look(&mut held, domain.pfn_limit(), plan, context, saw);
    match (result, held.undo()) {
        (result, Ok(())) => result,
        (Ok(()), Err(cause)) => {
            Err(Error::World { phase: Phase::Watch, step: "switching log-dirty off", cause })
        }
        (Err(failure), Err(cause)) => Err(Error::NotUndone { failure: Box::new(failure), cause }),
    }
}

fn look(
    held: &mut Held<'_>,
    pages: u64,
    plan: Watch,
    context: &mut Context<'_>,
    mut saw: impl FnMut(&PfnSet),
) -> Result<(), Error> {
    let failed = |step| move |cause| Error::World { phase: Phase::Watch, step, cause };
    held.start_tracking().map_err(failed("switching log-dirty on"))?;
    let start = context.clock.now();
    let mut dirty = PfnSet::empty(pages);
    for slot in 1..=plan.slots {
        wait_until(start + plan.slot * slot, context)?;
        dirty.clear();
        held.harvest(&mut dirty).map_err(failed("harvesting the dirty pages"))?;
        saw(&dirty);
    }
    Ok(())
}

fn wait_until(time: Duration, context: &Context<'_>) -> Result<(), Error> {
    loop {
        context.check_abort()?;
        let now = context.clock.now();
        if now >= time {
            return Ok(());
        }
        context.clock.sleep_until(time.min(now + NAP));
    }
}
