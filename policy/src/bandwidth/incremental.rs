use super::{BandwidthPolicy, Rate, Stage};
use crate::{Facts, Spec, SpecError, units};

/// The default of `start`, bit/s: the minimum in Clark et al., section 6.
const START: f64 = 100e6;
/// The default of `step`, bit/s: "50Mbit/sec is a suitable value", Clark et al., section 5.3.
const STEP: f64 = 50e6;
/// The default of `cap`, bit/s: the maximum in Clark et al., section 6.
const CAP: f64 = 500e6;

/// `incremental[:start=100M,step=50M,cap=500M]`: a little faster than the guest dirtied memory in the last round.
///
/// Xen's classic adaptive rate: Fang, Liao and Ge, *Live Virtual Machine Migration with Bandwidth Dynamic
/// Assignment*, section 2 ("the incremental bandwidth allocation"), and, with numbers, Clark et al., *Live Migration
/// of Virtual Machines* (NSDI 2005), section 5.3. The first round runs at `start`, each further one at the last
/// round's dirty rate plus `step`, none faster than `cap`; the stop-and-copy takes all the link has.
#[derive(Clone, Copy, Debug)]
pub struct Incremental {
    /// The rate of the first round, bit/s.
    pub start: f64,
    /// What is added to the dirty rate, bit/s.
    pub step: f64,
    /// The highest rate of a round, bit/s.
    pub cap: f64,
}

impl Incremental {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let mut rate = |key, default| {
            let given = spec.take(key, super::RATE, units::bits_per_second)?;
            Ok(given.unwrap_or(default))
        };
        let incremental =
            Self { start: rate("start", START)?, step: rate("step", STEP)?, cap: rate("cap", CAP)? };
        spec.finish("start, step, cap").map(|()| incremental)
    }
}

impl BandwidthPolicy for Incremental {
    fn name(&self) -> &'static str {
        "incremental"
    }

    fn rate(&mut self, stage: Stage, facts: &Facts<'_>) -> Rate {
        let wanted = match (stage, facts.rounds.last()) {
            (Stage::StopAndCopy, _) => return Rate::Unlimited,
            (Stage::Round, None) => self.start,
            (Stage::Round, Some(last)) => last.dirty_bits_per_second() + self.step,
        };
        Rate::BitsPerSecond(wanted.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::by_name;
    use crate::stop::rig;

    #[test]
    fn starts_low_follows_the_dirty_rate_and_ends_at_full_speed() {
        let mut policy = by_name("incremental").unwrap();
        let mut rate = |stage, dirty: &[u64]| {
            let rounds = rig::rounds(dirty);
            policy.rate(stage, &Facts { pages: rig::PAGES, rounds: &rounds, ..Facts::default() })
        };
        assert_eq!(rate(Stage::Round, &[]), Rate::BitsPerSecond(100e6));
        // 500 pages in 1 s: 16.384 Mbit/s.
        assert_eq!(rate(Stage::Round, &[500]), Rate::BitsPerSecond(66.384e6));
        // 800 pages in 40 ms: 655.36 Mbit/s.
        assert_eq!(rate(Stage::Round, &[40, 800]), Rate::BitsPerSecond(500e6));
        assert_eq!(rate(Stage::StopAndCopy, &[40, 800]), Rate::Unlimited);
    }
}
