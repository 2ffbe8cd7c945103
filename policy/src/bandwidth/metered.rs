use std::fmt;

use super::{BandwidthPolicy, Rate, Stage};
use crate::{Facts, LinkUse};

/// Reads how busy the link is; `None` when it cannot be told.
pub type Meter = Box<dyn FnMut() -> Option<LinkUse> + Send>;

/// Another policy, which is told how busy the link is: for those who can read its counters.
pub struct Metered {
    inner: Box<dyn BandwidthPolicy>,
    meter: Meter,
}

impl Metered {
    /// `inner`, with [`Facts::link`] from `meter` each time it is asked.
    #[must_use]
    pub fn new(inner: Box<dyn BandwidthPolicy>, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metered").field(&self.inner.name()).finish()
    }
}

impl BandwidthPolicy for Metered {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn rate(&mut self, stage: Stage, facts: &Facts<'_>) -> Rate {
        let link = (self.meter)().or(facts.link);
        self.inner.rate(stage, &Facts { link, ..*facts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::by_name;

    #[test]
    fn the_policy_sees_what_the_meter_says_now() {
        let mut used = 0.0;
        let meter = move || {
            used += 1e8;
            Some(LinkUse { total: 1e9, used })
        };
        let mut policy = Metered::new(by_name("bda").unwrap(), Box::new(meter));
        assert_eq!(policy.name(), "bda");
        assert_eq!(policy.rate(Stage::Round, &Facts::default()), Rate::BitsPerSecond(9e8));
        assert_eq!(policy.rate(Stage::StopAndCopy, &Facts::default()), Rate::BitsPerSecond(8e8));
    }
}
