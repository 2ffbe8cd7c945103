use super::{Decision, StopPolicy};
use crate::Facts;

/// `SPP_TARGET_DIRTY_COUNT` of Xen 4.10 and later: stop with fewer dirty pages than this.
const TARGET_DIRTY_PAGES: u64 = 50;
/// `SPP_MAX_ITERATIONS` of Xen 4.10 and later: at most this many live rounds.
const MAX_ROUNDS: usize = 5;

/// `xen`: the rule of today's Xen, fewer than 50 dirty pages or 5 rounds.
///
/// Xen also sends the fewer-than-50 pages live once more before it suspends; here they go with the last ones,
/// which spares a harvest and costs at most 200 KiB of stop-and-copy.
#[derive(Clone, Copy, Debug)]
pub struct Xen;

impl StopPolicy for Xen {
    fn name(&self) -> &'static str {
        "xen"
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let dirty = facts.dirty();
        if dirty < TARGET_DIRTY_PAGES {
            Decision::StopAndCopy(format!("{dirty} dirty pages, fewer than {TARGET_DIRTY_PAGES}"))
        } else if facts.rounds.len() >= MAX_ROUNDS {
            Decision::StopAndCopy(format!("{MAX_ROUNDS} rounds, {dirty} pages still dirty"))
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
    fn stops_below_50_dirty_pages() {
        assert_eq!(rig::rounds_until_stop(&mut Xen, &[1000, 50, 49]), 3);
    }

    #[test]
    fn stops_after_5_rounds() {
        assert_eq!(rig::rounds_until_stop(&mut Xen, &[1000; 9]), 5);
    }

    #[test]
    fn a_tiny_guest_is_not_copied_live() {
        let facts = Facts { pages: 49, ..Facts::default() };
        assert!(matches!(Xen.decide(&facts), Decision::StopAndCopy(_)));
    }
}
