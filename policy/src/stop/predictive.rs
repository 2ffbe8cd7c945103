use super::{Decision, ReadModel, StopPolicy};
use crate::growth::resampled;
use crate::markov::{ADJUST_AFTER, Model, Predictor, WINDOW, find_finish, matches};
use crate::{Facts, Spec, SpecError, units};

/// How far the real curve may be from the predicted one; the paper gives no number (see
/// [`matches`](crate::markov::matches)).
const TOLERANCE: f64 = 0.25;
/// The most rounds. The paper has no bound, but a prediction that is made anew each time may put the end off for
/// ever; this is the one of Xen's classic rule (Akoush et al., section II-C).
const ROUNDS: usize = 29;
/// How far the curve is predicted, in slots: with slots of 100 ms, 100 s.
const HORIZON: usize = 1000;

/// `fm[:model=FILE,window=50,tolerance=0.25,rounds=29]` and `am[:m=5,...]`: suspend the guest when it is predicted to have the
/// least to send.
///
/// Chen and Cao, *Prediction-Based Optimization of Live Virtual Machine Migration*, Algorithms 1 and 2, with the
/// parts of [`markov`](crate::markov). The first round sends everything; behind it the growth curve is predicted
/// and the finish found. Behind each further round the predicted curve is compared with the real one, and when it
/// does not match, predicted anew (FM's feedback). The guest is suspended at the finish, or earlier if no more
/// waits than was predicted for it. AM differs in the prediction alone: see [`Predictor`].
///
/// Without a trained model it learns from what it has seen of the guest, each time it predicts, with a window of at
/// most half of that. Where nobody looks at the dirty pages between harvests it can predict nothing and ends at
/// `rounds`.
#[derive(Clone, Debug)]
pub struct Predictive {
    name: &'static str,
    predictor: Predictor,
    model: Option<Model>,
    window: usize,
    tolerance: f64,
    rounds: usize,
    plan: Option<Plan>,
}

/// A predicted curve and the finish on it, in slots of the whole series.
#[derive(Clone, Debug)]
struct Plan {
    made_at: usize,
    curve: Vec<f64>,
    finish: usize,
    pages: f64,
}

impl Predictive {
    /// FM.
    pub(super) fn feedback(spec: Spec, read: &ReadModel<'_>) -> Result<Self, SpecError> {
        Self::from_spec("fm", spec, None, read, "model, window, tolerance, rounds")
    }

    /// AM.
    pub(super) fn adjustment(mut spec: Spec, read: &ReadModel<'_>) -> Result<Self, SpecError> {
        let m = spec.take("m", "a whole number", |v| v.parse().ok())?.unwrap_or(ADJUST_AFTER);
        Self::from_spec("am", spec, Some(m), read, "m, model, window, tolerance, rounds")
    }

    fn from_spec(
        name: &'static str,
        mut spec: Spec,
        adjust_after: Option<u32>,
        read: &ReadModel<'_>,
        known: &'static str,
    ) -> Result<Self, SpecError> {
        let positive = |v: &str| v.parse().ok().filter(|&window| window > 0);
        let window = spec.take("window", "a whole number above 0", positive)?.unwrap_or(WINDOW);
        let tolerance = spec.take("tolerance", "a number above 0", units::above(0.0))?.unwrap_or(TOLERANCE);
        let rounds = spec.take("rounds", "a whole number", |v| v.parse().ok())?.unwrap_or(ROUNDS);
        let file = spec.take("model", "a file", |v| Some(v.to_owned()))?;
        spec.finish(known)?;
        let failed = |file, reason| SpecError::Model { name: name.into(), file, reason };
        let model = file.map(|file| read(&file).map_err(|reason| failed(file, reason))).transpose()?;
        Ok(Self { name, predictor: Predictor { adjust_after }, model, window, tolerance, rounds, plan: None })
    }

    /// The growth so far, in slots of the model's length.
    fn history(&self, facts: &Facts<'_>) -> Vec<u64> {
        match &self.model {
            Some(model) if model.slot() != facts.slot => resampled(facts.growth, facts.slot, model.slot()),
            _ => facts.growth.to_vec(),
        }
    }

    /// Whether the guest did what the plan says, since it was made.
    fn holds(&self, plan: &Plan, states: &[f64]) -> bool {
        let real = states.get(plan.made_at..).unwrap_or_default();
        real.len() <= plan.curve.len() && matches(&plan.curve[..real.len()], real, self.tolerance)
    }

    /// Predicts from here on; `None` where there is not enough to predict from.
    fn make_plan(&self, facts: &Facts<'_>, history: &[u64], states: &[f64]) -> Option<Plan> {
        let learnt;
        let model = match &self.model {
            Some(model) => model,
            None => {
                learnt = Model::learn(&[history], facts.slot, self.window.min(history.len() / 2))?;
                &learnt
            }
        };
        let curve = self.predictor.predict(model, states, HORIZON);
        let slot_bytes = facts.bytes_per_second()? * model.slot().as_secs_f64();
        let pages_per_slot = slot_bytes / crate::PAGE_BYTES as f64;
        let finish = find_finish(&curve, facts.dirty() as f64, pages_per_slot);
        let made_at = states.len();
        Some(Plan { made_at, curve, finish: made_at + finish.slot, pages: finish.pages })
    }
}

impl StopPolicy for Predictive {
    fn name(&self) -> &'static str {
        self.name
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        if facts.rounds.is_empty() {
            return Decision::Continue;
        }
        let dirty = facts.dirty();
        if dirty == 0 {
            return Decision::StopAndCopy("nothing is dirty".into());
        }
        if facts.rounds.len() >= self.rounds {
            return Decision::StopAndCopy(format!(
                "{} rounds, {dirty} pages still dirty",
                facts.rounds.len()
            ));
        }
        let history = self.history(facts);
        let states: Vec<f64> = history.iter().map(|&state| state as f64).collect();
        let kept = self.plan.take().filter(|plan| self.holds(plan, &states));
        self.plan = kept.or_else(|| self.make_plan(facts, &history, &states));
        match &self.plan {
            Some(plan) if states.len() >= plan.finish || dirty as f64 <= plan.pages => {
                Decision::StopAndCopy(format!("{dirty} dirty pages, and no better moment is predicted"))
            }
            _ => Decision::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Round;
    use crate::stop::{rig, with_models};

    const SLOT: Duration = Duration::from_millis(100);

    /// A guest that writes 90 pages in a slot, and every fourth slot only 10.
    fn growth(slots: usize) -> Vec<u64> {
        (1..=slots).map(|slot| if slot % 4 == 0 { 10 } else { 90 }).collect()
    }

    fn model() -> Model {
        Model::learn(&[&growth(40)], SLOT, 4).unwrap()
    }

    fn trained(name: &str) -> Box<dyn StopPolicy> {
        with_models(&format!("{name}:model=here"), &|_| Ok(model())).unwrap()
    }

    /// After one round at 100 pages a slot, `slots` slots into the guest, with `dirty` pages to send.
    fn decide(policy: &mut dyn StopPolicy, slots: usize, dirty: u64) -> Decision {
        let growth = growth(slots);
        let rounds = [Round { dirty, ..rig::round(1, 1000, 0) }];
        policy.decide(&Facts {
            pages: rig::PAGES,
            rounds: &rounds,
            growth: &growth,
            slot: SLOT,
            ..Facts::default()
        })
    }

    #[test]
    fn both_wait_for_the_calm_slot() {
        for name in ["fm", "am"] {
            let mut policy = trained(name);
            // 100 pages take slot 10; 90 more take slot 11; 90 more take slot 12, which is calm.
            assert_eq!(decide(policy.as_mut(), 9, 100), Decision::Continue, "{name}");
            assert_eq!(decide(policy.as_mut(), 10, 90), Decision::Continue, "{name}");
            assert_eq!(decide(policy.as_mut(), 11, 90), Decision::Continue, "{name}");
            assert!(matches!(decide(policy.as_mut(), 12, 10), Decision::StopAndCopy(_)), "{name}");
        }
    }

    #[test]
    fn the_finish_ends_it_and_so_does_having_as_little_before() {
        let mut at_the_finish = trained("fm");
        decide(at_the_finish.as_mut(), 9, 100);
        // Slot 12 was planned with 10 pages.
        assert!(matches!(decide(at_the_finish.as_mut(), 12, 12), Decision::StopAndCopy(_)));
        let mut before = trained("fm");
        decide(before.as_mut(), 9, 100);
        assert_eq!(decide(before.as_mut(), 10, 11), Decision::Continue);
        assert!(matches!(decide(before.as_mut(), 10, 10), Decision::StopAndCopy(_)));
    }

    #[test]
    fn they_learn_from_the_guest_itself() {
        let mut policy = crate::stop::by_name("fm:window=4").unwrap();
        assert_eq!(decide(policy.as_mut(), 17, 100), Decision::Continue);
        assert!(matches!(decide(policy.as_mut(), 20, 10), Decision::StopAndCopy(_)));
    }

    #[test]
    fn a_deviation_makes_a_new_plan() {
        let mut policy = Predictive::feedback("fm:model=here".parse().unwrap(), &|_| Ok(model())).unwrap();
        decide(&mut policy, 9, 100);
        assert_eq!(policy.plan.as_ref().map(|plan| (plan.made_at, plan.finish)), Some((9, 12)));
        decide(&mut policy, 10, 90);
        assert_eq!(policy.plan.as_ref().map(|plan| plan.made_at), Some(9));
        let surprise: Vec<u64> = growth(10).into_iter().chain([10]).collect();
        let rounds = [rig::round(1, 1000, 90)];
        let facts = Facts { rounds: &rounds, growth: &surprise, slot: SLOT, ..Facts::default() };
        policy.decide(&facts);
        assert_eq!(policy.plan.as_ref().map(|plan| plan.made_at), Some(11));
    }

    #[test]
    fn a_series_in_other_slots_is_converted() {
        let policy = Predictive::feedback("fm:model=here".parse().unwrap(), &|_| Ok(model())).unwrap();
        let facts = Facts { growth: &[50, 40, 6, 4], slot: SLOT / 2, ..Facts::default() };
        assert_eq!(policy.history(&facts), [90, 10]);
    }

    #[test]
    fn without_looks_in_between_it_ends_at_the_bound() {
        let mut policy = crate::stop::by_name("am:rounds=7").unwrap();
        assert_eq!(rig::rounds_until_stop(policy.as_mut(), &[900; 9]), 7);
    }
}
