//! `--max-downtime` and `--timeout`: bounds around whatever the stop policy wants.

use std::thread;
use std::time::Duration;

use engine::{Abort, SaveOptions};
use policy::stop::{Decision, StopPolicy};
use policy::{Facts, PAGE_BYTES, SpecError};

use crate::settings::{Action, Settings};

/// Bits in a page.
const PAGE_BITS: f64 = PAGE_BYTES as f64 * 8.0;

/// The stop policy of the settings within their bounds.
pub(crate) struct Limited {
    inner: Box<dyn StopPolicy>,
    max_downtime: Option<Duration>,
    timeout: Option<Duration>,
    action: Action,
    link_rate: Option<f64>,
}

impl Limited {
    pub(crate) fn new(inner: Box<dyn StopPolicy>, settings: &Settings) -> Self {
        Self {
            inner,
            max_downtime: settings.max_downtime,
            timeout: settings.timeout,
            action: settings.timeout_action,
            link_rate: settings.link_rate,
        }
    }

    fn act(&self, reason: String) -> Decision {
        match self.action {
            Action::Abort => Decision::Abort(reason),
            Action::Stop => Decision::StopAndCopy(reason),
        }
    }

    /// Why the guest must not be suspended now: it would stand still for too long.
    fn too_long(&self, facts: &Facts<'_>) -> Option<String> {
        let max = self.max_downtime?;
        match self.downtime_now(facts) {
            Some(downtime) if downtime <= max => None,
            Some(downtime) => {
                Some(format!("the guest would stand still for {downtime:.1?}, {max:.1?} is allowed"))
            }
            None => Some(format!(
                "nobody knows yet for how long the guest would stand still, {max:.1?} is allowed"
            )),
        }
    }

    fn downtime_now(&self, facts: &Facts<'_>) -> Option<Duration> {
        let Some(bits_per_second) = self.link_rate else { return facts.downtime_now() };
        let waiting = facts.dirty() as f64 * PAGE_BITS / bits_per_second;
        Duration::try_from_secs_f64(waiting).ok().map(|time| time.saturating_add(facts.fixed_downtime))
    }
}

impl StopPolicy for Limited {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn decide(&mut self, facts: &Facts<'_>) -> Decision {
        let wish = self.inner.decide(facts);
        if let Some(timeout) = self.timeout.filter(|&timeout| facts.elapsed >= timeout) {
            return self.act(timed_out(timeout));
        }
        match (wish, self.too_long(facts)) {
            (Decision::StopAndCopy(_), Some(_)) if self.timeout.is_some() => Decision::Continue,
            (Decision::StopAndCopy(_), Some(reason)) => self.act(reason),
            (wish, _) => wish,
        }
    }
}

fn timed_out(timeout: Duration) -> String {
    format!("the live copy took longer than {timeout:.1?}")
}

/// A live save under these settings.
///
/// # Errors
/// When a policy cannot be made; the check of the settings has made it once already.
pub fn save_options(settings: &Settings) -> Result<SaveOptions, SpecError> {
    Ok(SaveOptions::live(settings.stop_policy()?, settings.bandwidth_policy()?))
}

/// Raises the abort when the time is over, wherever the save is then; a round may take long.
pub fn abort_on_timeout(settings: &Settings, abort: &Abort) {
    let (Some(timeout), Action::Abort) = (settings.timeout, settings.timeout_action) else { return };
    let abort = abort.clone();
    // It ends with the process.
    thread::spawn(move || {
        thread::sleep(timeout);
        abort.raise(timed_out(timeout));
    });
}

#[cfg(test)]
mod tests {
    use policy::Round;
    use policy::stop::{self, Psc};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// After one round that took a page a millisecond and left `dirty`.
    fn decide(limited: &mut Limited, dirty: u64, elapsed: Duration) -> Decision {
        let bytes = 1000 * PAGE_BYTES;
        let round =
            Round { number: 1, planned: 1000, sent: 1000, skipped: 0, bytes, duration: MS * 1000, dirty };
        limited.decide(&Facts { pages: 1000, rounds: &[round], elapsed, ..Facts::default() })
    }

    fn limited(max: u32, timeout: Option<u32>, action: Action) -> Limited {
        let timeout = timeout.map(|ms| MS * ms);
        Limited { inner: Box::new(Psc), max_downtime: Some(MS * max), timeout, action, link_rate: None }
    }

    #[test]
    fn a_long_downtime_is_not_accepted() {
        let abort = &mut limited(100, None, Action::Abort);
        assert!(matches!(decide(abort, 100, MS), Decision::StopAndCopy(_)));
        assert!(matches!(decide(abort, 101, MS), Decision::Abort(_)));
        assert!(matches!(decide(&mut limited(100, None, Action::Stop), 101, MS), Decision::StopAndCopy(_)));
    }

    #[test]
    fn with_a_timeout_the_live_copy_goes_on_until_then() {
        let waits = &mut limited(100, Some(5000), Action::Abort);
        assert_eq!(decide(waits, 101, MS * 4999), Decision::Continue);
        assert!(matches!(decide(waits, 101, MS * 5000), Decision::Abort(_)));
    }

    #[test]
    fn the_link_rate_that_was_told_counts() {
        let slow = &mut limited(100, None, Action::Abort);
        slow.link_rate = Some(PAGE_BITS * 500.0);
        assert!(matches!(decide(slow, 100, MS), Decision::Abort(_)));
        assert!(matches!(decide(slow, 50, MS), Decision::StopAndCopy(_)));
    }

    #[test]
    fn without_limits_the_policy_decides() {
        let settings = Settings::from(&crate::settings::Values::defaults());
        let mut free = Limited::new(stop::by_name("fni:n=2").unwrap(), &settings);
        assert_eq!(decide(&mut free, 1, MS), Decision::Continue);
        assert_eq!(free.name(), "fni");
    }
}
