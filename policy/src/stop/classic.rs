use super::{Decision, StopPolicy};
use crate::Facts;

/// `MAX_SENT` of Algorithm 1: stop when the last round had fewer pages than this.
const FEW_PAGES: u64 = 50;
/// `MAX_ITERATIONS` of Algorithm 1.
const MAX_ROUNDS: usize = 29;
/// `MAX_FACTOR` of Algorithm 1: stop when more than this many times the guest's memory was sent.
const MAX_FACTOR: u64 = 3;

/// `classic`: the rule of Xen 3.0 to 4.5, as in Akoush et al., *Predicting the Performance of Virtual Machine
/// Migration*, section II-C and Algorithm 1.
///
/// Stop after 29 rounds, or when more than 3 times the memory was sent, or when the last round had fewer than
/// 50 pages, sent and skipped together. The text says "fewer than 50 pages were dirtied during the last
/// iteration", the algorithm counts `sent_this_iteration + skip_this_iteration`; this follows the algorithm,
/// which is what Xen did.
#[derive(Clone, Copy, Debug)]
pub struct Classic;

impl StopPolicy for Classic {
    fn name(&self) -> &'static str {
        "classic"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let Some(last) = facts.rounds.last() else { return Decision::Continue };
        let handled = last.sent + last.skipped;
        if facts.rounds.len() >= MAX_ROUNDS {
            Decision::StopAndCopy(format!("{MAX_ROUNDS} rounds"))
        } else if facts.sent() > facts.pages.saturating_mul(MAX_FACTOR) {
            Decision::StopAndCopy(format!("more than {MAX_FACTOR} x the memory sent"))
        } else if handled < FEW_PAGES {
            Decision::StopAndCopy(format!("{handled} pages in the last round, fewer than {FEW_PAGES}"))
        } else {
            Decision::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::rig;

    #[test]
    fn stops_one_round_after_the_dirty_pages_fall_below_50() {
        assert_eq!(rig::rounds_until_stop(&mut Classic, &[600, 300, 49, 49, 49]), 4);
    }

    #[test]
    fn stops_after_29_rounds() {
        assert_eq!(rig::rounds_until_stop(&mut Classic, &[50; 40]), 29);
    }

    #[test]
    fn stops_when_3_times_the_memory_was_sent() {
        // 1000 pages each round: 3000 is not more than 3 x 1000, 4000 is.
        assert_eq!(rig::rounds_until_stop(&mut Classic, &[1000; 40]), 4);
    }

    #[test]
    fn skipped_pages_count_for_the_last_rule() {
        let mut round = rig::round(1, 1000, 0);
        (round.sent, round.skipped) = (10, 40);
        let facts = Facts { pages: 1000, rounds: &[round], ..Facts::default() };
        assert_eq!(Classic.decide(&facts), Decision::Continue);
    }
}
