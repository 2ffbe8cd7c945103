use std::time::Duration;

use super::{Decision, StopPolicy};
use crate::{Facts, Spec, SpecError, units};

/// The limit's parts, one of which is left for what nobody can measure before: the pages that are written while the link runs
/// empty, the hand-over, and a link that is slower when it counts. Over a shaped link of 10 Gbit/s (`bench/runs/downtime`)
/// 25 guests stood still for 0.7 to 1.5 times their forecasts, in the mean for 1.1.
const PARTS: u32 = 6;

/// `downtime:300ms`: stop as soon as the guest would stand still for less than this, with a sixth of it to spare.
///
/// The forecast is what waits over the rate of the last round ([`Facts::bytes_per_second`]), and the fixed part
/// of a stop-and-copy as far as it was measured; Akoush et al., *Predicting the Performance of Virtual Machine
/// Migration*, Eq. 2, and Zhu et al., *ITC-LM*, section 2.2 ("remaining pages size divide transfer rate"). A guest
/// that dirties too fast never gets there: `any(downtime:300ms,deadline:60s)` ends all the same.
#[derive(Clone, Copy, Debug)]
pub struct Downtime {
    /// The longest downtime to accept; the forecast must fit into five sixths of it.
    pub limit: Duration,
}

impl Downtime {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let limit = spec.need_bare("limit", "a time such as 300ms", units::duration)?;
        spec.finish("limit").map(|()| Self { limit })
    }
}

impl StopPolicy for Downtime {
    fn name(&self) -> &'static str {
        "downtime"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        match facts.downtime_now() {
            Some(forecast) if forecast <= self.limit / PARTS * (PARTS - 1) => {
                Decision::StopAndCopy(format!("a downtime of {forecast:.1?} is to be expected"))
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
    fn stops_when_the_rest_fits_into_five_sixths() {
        // The rig's link takes a page a millisecond.
        let mut policy = by_name("downtime:120ms").unwrap();
        assert_eq!(rig::rounds_until_stop(policy.as_mut(), &[500, 101, 100, 1]), 3);
    }

    #[test]
    fn the_fixed_part_counts() {
        let rounds = rig::rounds(&[70]);
        let mut facts = Facts { pages: rig::PAGES, rounds: &rounds, ..Facts::default() };
        let mut policy = Downtime { limit: Duration::from_millis(120) };
        facts.fixed_downtime = Duration::from_millis(31);
        assert_eq!(policy.decide(&facts), Decision::Continue);
        facts.fixed_downtime = Duration::from_millis(30);
        assert!(matches!(policy.decide(&facts), Decision::StopAndCopy(_)));
    }

    #[test]
    fn the_limit_must_be_given() {
        let mistake = |text| by_name(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(mistake("downtime"), "policy 'downtime' needs limit=");
        assert_eq!(mistake("downtime:300"), "policy 'downtime': limit=300 is not a time such as 300ms");
    }
}
