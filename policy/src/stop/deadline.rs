use std::time::Duration;

use super::{Decision, StopPolicy};
use crate::{Facts, Spec, SpecError, units};

/// With fewer dirty pages than this another round gains nothing: the target of Xen 4.10 and later.
const FEW_PAGES: u64 = 50;

/// What a [`Deadline`] does when time runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Suspend the guest early enough to be done in time.
    Stop,
    /// Give up as soon as it cannot be done in time.
    Abort,
}

/// `deadline:60s[,then=stop|abort]`: a bound on the total time.
///
/// `then=stop`, the default, ends the pre-copy when another round, and a stop-and-copy of what the guest dirties
/// meanwhile at the last round's dirty rate, would end behind the deadline. `then=abort` gives the migration up
/// when a stop-and-copy now would end behind it; it is meant for combinations: `any(itc,deadline:60s,then=abort)`.
/// Before a rate is known, only the time that has passed counts. Both stop with fewer than 50 dirty pages, for the
/// time that is left is then of no use.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The longest total time to accept.
    pub limit: Duration,
    /// What to do about it.
    pub then: Then,
}

impl Deadline {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let limit = spec.need_bare("limit", "a time such as 60s", units::duration)?;
        let then = spec.take("then", "stop or abort", then)?.unwrap_or(Then::Stop);
        spec.finish("limit, then").map(|()| Self { limit, then })
    }
}

fn then(text: &str) -> Option<Then> {
    match text {
        "stop" => Some(Then::Stop),
        "abort" => Some(Then::Abort),
        _ => None,
    }
}

/// When the migration would end if the guest were suspended now.
fn end_now(facts: &Facts<'_>) -> Duration {
    facts.elapsed.saturating_add(facts.downtime_now().unwrap_or_default())
}

/// When it would end if there were another round first.
fn end_after_another_round(facts: &Facts<'_>) -> Duration {
    let round = facts.time_to_send(facts.dirty() as f64).unwrap_or_default();
    let pages_per_second = facts.rounds.last().map_or(0.0, |last| {
        if last.duration.is_zero() { 0.0 } else { last.dirty as f64 / last.duration.as_secs_f64() }
    });
    let left = (pages_per_second * round.as_secs_f64()).min(facts.pages as f64);
    let last = facts.time_to_send(left).unwrap_or_default();
    [round, last, facts.fixed_downtime].into_iter().fold(facts.elapsed, Duration::saturating_add)
}

impl StopPolicy for Deadline {
    fn name(&self) -> &'static str {
        "deadline"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let (limit, dirty) = (self.limit, facts.dirty());
        match self.then {
            _ if dirty < FEW_PAGES => Decision::StopAndCopy(format!("{dirty} dirty pages, and time left")),
            Then::Stop if end_after_another_round(facts) > limit => {
                Decision::StopAndCopy(format!("another round would not end within {limit:.1?}"))
            }
            Then::Abort if end_now(facts) > limit => {
                Decision::Abort(format!("it would not end within {limit:.1?}"))
            }
            _ => Decision::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::{by_name, rig};

    #[test]
    fn stops_while_there_is_time_for_the_rest() {
        // A page a millisecond: rounds end at 1 s, 1.5 s, 2 s; the fourth would end at 2.5 s, the copy at 3 s.
        let dirty = [500; 9];
        let rounds = |limit| rig::rounds_until_stop(by_name(limit).unwrap().as_mut(), &dirty);
        assert_eq!(rounds("deadline:2999ms"), 3);
        assert_eq!(rounds("deadline:3s"), 4);
        assert_eq!(rounds("deadline:0s"), 1, "nothing is known before the first round");
    }

    #[test]
    fn does_not_wait_for_the_deadline_with_next_to_nothing_to_send() {
        for limit in ["deadline:60min", "deadline:60min,then=abort"] {
            assert_eq!(rig::rounds_until_stop(by_name(limit).unwrap().as_mut(), &[500, 50, 49, 40]), 3);
        }
    }

    #[test]
    fn aborts_when_it_cannot_be_done_any_more() {
        let decide = |limit, done: usize| {
            let rounds = rig::rounds(&[500; 9]);
            let elapsed = rounds[..done].iter().map(|r| r.duration).sum();
            let facts = Facts { pages: rig::PAGES, rounds: &rounds[..done], elapsed, ..Facts::default() };
            by_name(limit).unwrap().decide(&facts)
        };
        assert_eq!(decide("deadline:2s,then=abort", 2), Decision::Continue);
        assert!(matches!(decide("deadline:1999ms,then=abort", 2), Decision::Abort(_)));
    }

    #[test]
    fn mistakes() {
        let mistake = |text| by_name(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(mistake("deadline:60s,then=wait"), "policy 'deadline': then=wait is not stop or abort");
        assert_eq!(mistake("deadline:60s,70s"), "policy 'deadline': '70s' is not key=value");
    }
}
