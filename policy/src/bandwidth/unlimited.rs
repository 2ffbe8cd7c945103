use super::{BandwidthPolicy, Rate, Stage};
use crate::Facts;

/// `unlimited`: as fast as the link takes it; the default.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl BandwidthPolicy for Unlimited {
    fn name(&self) -> &'static str {
        "unlimited"
    }

    fn rate(&mut self, _: Stage, _: &Facts<'_>) -> Rate {
        Rate::Unlimited
    }
}
