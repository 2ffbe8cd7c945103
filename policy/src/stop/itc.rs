use super::{Decision, StopPolicy};
use crate::{Facts, Spec, SpecError, units};

/// `c_trust`, section 3.2.
const TRUST: f64 = 1.0;
/// `c_distrust`, section 3.2.
const DISTRUST: f64 = 2.0;
/// `if(ITC<=1) break`, pseudo-code of section 3.3.
const THRESHOLD: f64 = 1.0;

/// `itc[:trust=1,distrust=2]`: go on while the dirty pages become fewer often enough.
///
/// Zhu et al., *ITC-LM: A Smart Iteration-Termination Criterion Based Live Virtual Machine Migration*, Eq. 5 and
/// the pseudo-code of section 3.3. ITC starts at 0. A round that left fewer dirty pages than there were before it
/// (D < 0, Eq. 4) adds `trust`. One that did not divides ITC by `distrust`, and then the pre-copy ends if ITC is
/// at most 1. The text says "less than a given threshold", the pseudo-code `<=`; this follows the pseudo-code,
/// which also looks at the threshold only behind a division: with `<=` and a look everywhere, every migration
/// would end after its first round.
///
/// One thing is added: it stops when nothing is dirty, where the pseudo-code would run some empty rounds. As in
/// the paper there is no bound on the number of rounds; `any(itc,fni:n=37)` has one.
#[derive(Clone, Copy, Debug)]
pub struct Itc {
    /// What a good round adds, above 0.
    pub trust: f64,
    /// What a bad round divides by, above 1.
    pub distrust: f64,
}

impl Itc {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let trust = spec.take("trust", "a number above 0", units::above(0.0))?.unwrap_or(TRUST);
        let distrust = spec.take("distrust", "a number above 1", units::above(1.0))?.unwrap_or(DISTRUST);
        spec.finish("trust, distrust").map(|()| Self { trust, distrust })
    }

    /// ITC after these rounds, and whether the last of them divided it.
    fn value(&self, facts: &Facts<'_>) -> (f64, bool) {
        let (mut itc, mut divided, mut before) = (0.0, false, facts.pages);
        for round in facts.rounds {
            divided = round.dirty >= before;
            itc = if divided { itc / self.distrust } else { itc + self.trust };
            before = round.dirty;
        }
        (itc, divided)
    }
}

impl StopPolicy for Itc {
    fn name(&self) -> &'static str {
        "itc"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let (itc, divided) = self.value(facts);
        let dirty = facts.dirty();
        if dirty == 0 {
            Decision::StopAndCopy("nothing is dirty".into())
        } else if divided && itc <= THRESHOLD {
            Decision::StopAndCopy(format!("ITC fell to {itc}, {dirty} pages still dirty"))
        } else {
            Decision::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::{by_name, rig};

    /// The shape of Figure 3 (whose numbers are lost): a fall; a shock at a and a further fall to b; a shock at c
    /// and a further fall to d; then no progress.
    ///
    ///                        |  fall           | a  | b           | c  | d   | none
    const FIGURE_3: [u64; 12] = [400, 300, 240, 260, 220, 180, 170, 190, 160, 170, 165, 175];
    /// ITC by hand: +1 +1 +1, /2, +1 +1 +1, /2, +1, /2, +1, /2.
    const ITC: [f64; 12] = [1.0, 2.0, 3.0, 1.5, 2.5, 3.5, 4.5, 2.25, 3.25, 1.625, 2.625, 1.3125];

    #[test]
    fn the_value_is_that_of_equation_5() {
        let itc = Itc { trust: TRUST, distrust: DISTRUST };
        let rounds = rig::rounds(&FIGURE_3);
        for (done, expected) in ITC.iter().enumerate() {
            let facts = Facts { pages: rig::PAGES, rounds: &rounds[..=done], ..Facts::default() };
            assert_eq!(itc.value(&facts).0, *expected, "after round {}", done + 1);
        }
    }

    #[test]
    fn it_passes_a_and_c_reaches_b_and_d_and_ends() {
        let series: Vec<u64> = FIGURE_3.into_iter().chain([180, 190, 200]).collect();
        // a is round 4, b is 7, c is 8, d is 9; 12: 1.3125, 13: 0.65625.
        assert_eq!(rig::rounds_until_stop(by_name("itc").unwrap().as_mut(), &series), 13);
    }

    #[test]
    fn the_condition_of_equation_3_alone_would_end_at_a() {
        // With so much distrust that the first division ends it.
        let mut policy = by_name("itc:distrust=1000").unwrap();
        assert_eq!(rig::rounds_until_stop(policy.as_mut(), &FIGURE_3), 4);
    }

    #[test]
    fn a_guest_that_dirties_everything_gets_one_round() {
        assert_eq!(rig::rounds_until_stop(by_name("itc").unwrap().as_mut(), &[1000; 9]), 1);
    }

    #[test]
    fn equal_is_not_fewer_and_one_is_not_above_one() {
        // +1 +1, then equal: 1 is at most 1.
        assert_eq!(rig::rounds_until_stop(by_name("itc").unwrap().as_mut(), &[500, 400, 400, 400]), 3);
    }

    #[test]
    fn nothing_dirty_ends_it() {
        assert_eq!(rig::rounds_until_stop(by_name("itc").unwrap().as_mut(), &[500, 400, 0, 0, 0, 0]), 3);
    }
}
