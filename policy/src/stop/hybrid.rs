use super::{Decision, StopPolicy};
use crate::{Facts, PAGE_BYTES, Spec, SpecError, units};

/// The default of `remaining`: 30 MB (section 2.2), read as MiB because it is a size of memory.
const REMAINING: f64 = 30.0 * 1024.0 * 1024.0;
/// The default of `rounds`: thirty-seven (section 2.2).
const ROUNDS: usize = 37;

/// `hybrid[:remaining=30M,rounds=37]`: few enough dirty pages, or enough rounds.
///
/// The hybrid terminating condition of QEMU 1.4, the baseline of Zhu et al., *ITC-LM: A Smart
/// Iteration-Termination Criterion Based Live Virtual Machine Migration*, section 2.1 and Fig. 1. The text says
/// both that 37 is the maximum number of rounds and that rounds go on until it is exceeded; here it is the
/// maximum, the more common reading of the two.
#[derive(Clone, Copy, Debug)]
pub struct Hybrid {
    /// Stop with fewer dirty bytes than this.
    pub remaining: f64,
    /// At most this many rounds.
    pub rounds: usize,
}

impl Hybrid {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let remaining = spec.take("remaining", "a size such as 30M", units::bytes)?.unwrap_or(REMAINING);
        let rounds = spec.take("rounds", "a whole number", |v| v.parse().ok())?.unwrap_or(ROUNDS);
        spec.finish("remaining, rounds").map(|()| Self { remaining, rounds })
    }
}

impl StopPolicy for Hybrid {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let dirty = facts.dirty();
        if ((dirty * PAGE_BYTES) as f64) < self.remaining {
            Decision::StopAndCopy(format!("{dirty} dirty pages, fewer than set"))
        } else if facts.rounds.len() >= self.rounds {
            Decision::StopAndCopy(format!("{} rounds, {dirty} pages still dirty", facts.rounds.len()))
        } else {
            Decision::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::{by_name, rig};

    #[test]
    fn stops_below_the_size() {
        let mut policy = by_name("hybrid:remaining=400K").unwrap();
        assert_eq!(rig::rounds_until_stop(policy.as_mut(), &[300, 100, 99, 98]), 3);
    }

    #[test]
    fn stops_after_37_rounds() {
        let mut policy = by_name("hybrid:remaining=4K").unwrap();
        assert_eq!(rig::rounds_until_stop(policy.as_mut(), &[900; 50]), 37);
    }

    #[test]
    fn thirty_megabytes_are_7680_pages() {
        let decide = |pages| {
            Hybrid { remaining: REMAINING, rounds: ROUNDS }.decide(&Facts { pages, ..Facts::default() })
        };
        assert_eq!(decide(7680), Decision::Continue);
        assert!(matches!(decide(7679), Decision::StopAndCopy(_)));
    }
}
