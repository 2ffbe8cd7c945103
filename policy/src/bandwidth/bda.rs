use super::{BandwidthPolicy, Rate, Stage};
use crate::{Facts, LinkUse, Round, Spec, SpecError, units};

/// The least part of the link that is used: Fig. 1 may reserve all of it, and then the round would never end.
const LEAST: f64 = 0.01;

/// `bda[:link=RATE]`: what is free on the link, less what the guest's own business is expected to need.
///
/// Fang, Liao and Ge, *Live Virtual Machine Migration with Bandwidth Dynamic Assignment*, section 3.3 and Fig. 1.
/// In the first round and in the stop-and-copy it takes all that is free, `F_bw`. Before another round it reserves
/// `B_bw` of that and takes the rest. With U_k the dirty rate of the last round and D the mean of those before it,
///
/// - Eq. 4: `B_bw = a U_k + b D`, where `a = U_k / (D + U_k)` and `b = D / (D + U_k)`;
/// - Eq. 5, only when that is more than what is free: `B_bw = F_bw (B_bw / (B_bw + c B_bw))`, which is
///   `F_bw / (1 + c)`, where `c = U_k / U_(k-1)`.
///
/// Readings: Fig. 1 prints `a = U_dirty[n]/D_avg + U_dirty[n]`; the text of section 3.2 says "divided by the
/// previous average with the current", a sum in the denominator. (The end of that section calls the coefficients a
/// ratio of bandwidths; Fig. 1 does not.) Before round n the newest dirty rate that can be known is that of round
/// n - 1, so this is U_k. Before round 2 there are none before it: D and U_(k-1) are then U_k itself, which
/// weighs both equally. Rates are compared as bit/s.
///
/// Where nobody reads the link's counters ([`Facts::link`]), all of `link` counts as free; without `link`, the rate
/// of the fastest round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bda {
    /// What the link can carry, bit/s, where it is not measured.
    pub link: Option<f64>,
}

impl Bda {
    pub(super) fn from_spec(mut spec: Spec) -> Result<Self, SpecError> {
        let link = spec.take("link", super::RATE, units::bits_per_second)?;
        spec.finish("link").map(|()| Self { link })
    }

    fn link(&self, facts: &Facts<'_>) -> Option<LinkUse> {
        let unmeasured = || {
            let seen = facts.rounds.iter().map(bits_per_second).reduce(f64::max);
            self.link.or(seen).map(|total| LinkUse { total, used: 0.0 })
        };
        facts.link.or_else(unmeasured)
    }
}

fn bits_per_second(round: &Round) -> f64 {
    if round.duration.is_zero() { 0.0 } else { round.bytes as f64 * 8.0 / round.duration.as_secs_f64() }
}

/// `B_bw`, bit/s: what to leave to the guest's business. 0 before there is a round.
fn reserved(rounds: &[Round], free: f64) -> f64 {
    let dirty: Vec<f64> = rounds.iter().map(Round::dirty_bits_per_second).collect();
    let Some((&now, before)) = dirty.split_last() else { return 0.0 };
    let mean = if before.is_empty() { now } else { before.iter().sum::<f64>() / before.len() as f64 };
    if now + mean <= 0.0 {
        return 0.0;
    }
    let (a, b) = (now / (mean + now), mean / (mean + now));
    let reserved = a * now + b * mean;
    if reserved <= free {
        return reserved;
    }
    let last = before.last().copied().unwrap_or(now);
    // Out of nothing the dirty rate grew beyond all bounds: c is infinite, and nothing is reserved.
    if last > 0.0 { free / (1.0 + now / last) } else { 0.0 }
}

impl BandwidthPolicy for Bda {
    fn name(&self) -> &'static str {
        "bda"
    }

    fn rate(&mut self, stage: Stage, facts: &Facts<'_>) -> Rate {
        let Some(link) = self.link(facts).filter(|link| link.total > 0.0) else { return Rate::Unlimited };
        let free = link.free();
        let taken = match stage {
            Stage::Round => free - reserved(facts.rounds, free),
            Stage::StopAndCopy => free,
        };
        Rate::BitsPerSecond(taken.max(link.total * LEAST))
    }

    fn reads_link(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::by_name;
    use crate::stop::rig;

    /// A page in bit/s when it takes a second.
    const PAGE: f64 = 32768.0;

    /// Rounds of a second each that find these pages dirty.
    fn rounds(dirty: &[u64]) -> Vec<Round> {
        dirty.iter().map(|&dirty| rig::round(1, 1000, dirty)).collect()
    }

    /// In pages/s, on a link of 1000 pages/s, `used` of which others take.
    fn rate(stage: Stage, dirty: &[u64], used: f64) -> f64 {
        let rounds = rounds(dirty);
        let link = Some(LinkUse { total: 1000.0 * PAGE, used: used * PAGE });
        match by_name("bda").unwrap().rate(stage, &Facts { rounds: &rounds, link, ..Facts::default() }) {
            Rate::BitsPerSecond(rate) => rate / PAGE,
            Rate::Unlimited => f64::INFINITY,
        }
    }

    #[test]
    fn equation_4_by_hand() {
        // U = 300, D = (100 + 100) / 2 = 100: a = 3/4, b = 1/4, B = 225 + 25 = 250.
        assert_eq!(rate(Stage::Round, &[100, 100, 300], 0.0), 750.0);
        // The other way round: U = 100, D = 300: a = 1/4, b = 3/4, B = 25 + 225 = 250.
        assert_eq!(rate(Stage::Round, &[300, 300, 100], 0.0), 750.0);
        // F = 1000 - 200.
        assert_eq!(rate(Stage::Round, &[100, 100, 300], 200.0), 550.0);
    }

    #[test]
    fn equation_5_by_hand() {
        // U = 600, D = 200: B = 450 + 50 = 500, more than F = 400. c = 600 / 200 = 3: B = 400 / 4 = 100.
        assert_eq!(rate(Stage::Round, &[200, 600], 600.0), 300.0);
        // c is of the last two rounds, not of the mean: D = 400, B = 360 + 160 = 520; c = 600 / 600: B = 400 / 2.
        assert_eq!(rate(Stage::Round, &[200, 600, 600], 600.0), 200.0);
    }

    #[test]
    fn the_first_round_and_the_last_copy_take_all_that_is_free() {
        assert_eq!(rate(Stage::Round, &[], 600.0), 400.0);
        assert_eq!(rate(Stage::StopAndCopy, &[200, 600], 600.0), 400.0);
    }

    #[test]
    fn before_the_second_round_the_first_is_its_own_history() {
        assert_eq!(rate(Stage::Round, &[300], 0.0), 700.0);
        assert_eq!(rate(Stage::Round, &[0], 0.0), 1000.0);
    }

    #[test]
    fn there_is_always_a_little() {
        assert_eq!(rate(Stage::Round, &[300, 300], 1000.0), 10.0);
        assert_eq!(rate(Stage::StopAndCopy, &[300], 2000.0), 10.0);
        assert_eq!(rate(Stage::Round, &[0, 5000], 600.0), 400.0);
    }

    #[test]
    fn without_counters_the_link_is_as_fast_as_is_said_or_was_seen() {
        let rounds = rounds(&[300]);
        let facts = Facts { rounds: &rounds, ..Facts::default() };
        // A round of the rig sends 1000 pages in its second.
        assert_eq!(Bda::default().rate(Stage::Round, &facts), Rate::BitsPerSecond(700.0 * PAGE));
        assert_eq!(Bda::default().rate(Stage::Round, &Facts::default()), Rate::Unlimited);
        let told = by_name("bda:link=1G").unwrap().rate(Stage::Round, &Facts::default());
        assert_eq!(told, Rate::BitsPerSecond(1e9));
    }
}
