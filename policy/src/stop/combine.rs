use super::{Decision, StopPolicy};
use crate::Facts;

/// Which of its members a [`Combination`] listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// `any(...)`: the first that wants to stop.
    Any,
    /// `all(...)`: all of them.
    All,
}

/// `any(a,b,...)` and `all(a,b,...)`: several policies as one; they may be nested.
///
/// `any` stops when at least one member wants to stop. `all` stops when every member does. A member that wants to
/// abort aborts either of them, unless another member of `any` wants to stop at the same moment. Every member is
/// asked every time, so that those that learn see every round.
pub struct Combination {
    /// Which members count.
    pub quorum: Quorum,
    /// The policies, at least one.
    pub members: Vec<Box<dyn StopPolicy>>,
}

impl std::fmt::Debug for Combination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members = self.members.iter().map(|member| member.name());
        f.debug_tuple(self.name()).field(&members.collect::<Vec<_>>()).finish()
    }
}

impl StopPolicy for Combination {
    fn name(&self) -> &'static str {
        match self.quorum {
            Quorum::Any => "any",
            Quorum::All => "all",
        }
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let (mut stops, mut aborts) = (Vec::new(), Vec::new());
        for member in &mut self.members {
            match member.decide(facts) {
                Decision::Continue => {}
                Decision::StopAndCopy(reason) => stops.push(format!("{}: {reason}", member.name())),
                Decision::Abort(reason) => aborts.push(format!("{}: {reason}", member.name())),
            }
        }
        let enough = match self.quorum {
            Quorum::Any => !stops.is_empty(),
            Quorum::All => stops.len() == self.members.len(),
        };
        if enough {
            Decision::StopAndCopy(stops.join("; "))
        } else if !aborts.is_empty() {
            Decision::Abort(aborts.join("; "))
        } else {
            Decision::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::{by_name, rig};

    fn rounds(text: &str, dirty: &[u64]) -> usize {
        rig::rounds_until_stop(by_name(text).unwrap().as_mut(), dirty)
    }

    #[test]
    fn any_stops_with_the_first_and_all_with_the_last() {
        let dirty = [900, 800, 700, 600, 500, 400, 300];
        assert_eq!(rounds("any(fni:n=2,fni:n=4)", &dirty), 2);
        assert_eq!(rounds("all(fni:n=2,fni:n=4)", &dirty), 4);
        assert_eq!(rounds("all(fni:n=2,any(fni:n=6,fni:n=3))", &dirty), 3);
    }

    #[test]
    fn an_abort_wins_over_all_but_a_stop_in_any() {
        let late = "deadline:0s,then=abort";
        let rounds = rig::rounds(&[500]);
        let facts = Facts {
            pages: rig::PAGES,
            rounds: &rounds,
            elapsed: std::time::Duration::from_secs(1),
            ..Facts::default()
        };
        let decide = |text: String| by_name(&text).unwrap().decide(&facts);
        assert!(matches!(decide(format!("any(psc,{late})")), Decision::StopAndCopy(_)));
        assert!(matches!(decide(format!("any(fni:n=2,{late})")), Decision::Abort(_)));
        assert!(matches!(decide(format!("all(psc,{late})")), Decision::Abort(_)));
    }

    #[test]
    fn the_reason_names_the_member() {
        let decision = by_name("any(xen,psc)").unwrap().decide(&Facts { pages: 99, ..Facts::default() });
        assert_eq!(decision, Decision::StopAndCopy("psc: pure stop-and-copy".into()));
    }
}
