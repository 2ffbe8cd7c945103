use super::{BandwidthPolicy, Rate, Stage};
use crate::Facts;

/// `fixed:rate=R`: the same rate throughout.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// The rate, bit/s.
    pub bits_per_second: f64,
}

impl BandwidthPolicy for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn rate(&mut self, _: Stage, _: &Facts<'_>) -> Rate {
        Rate::BitsPerSecond(self.bits_per_second)
    }
}
