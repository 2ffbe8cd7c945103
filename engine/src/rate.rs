//! The rate of a link, between who sets it and who keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use policy::bandwidth::Rate;

/// How fast to send: set by the loop at any moment, kept by the link's pacer from its next millisecond on. Clones
/// share the rate.
#[derive(Clone, Debug)]
pub struct RateControl(Arc<AtomicU64>);

impl RateControl {
    /// Without a limit, at first.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(f64::INFINITY.to_bits())))
    }

    /// From now on it is this.
    pub fn set(&self, rate: Rate) {
        let bits_per_second = match rate {
            Rate::Unlimited => f64::INFINITY,
            Rate::BitsPerSecond(rate) => rate,
        };
        self.0.store(bits_per_second.to_bits(), Ordering::Relaxed);
    }

    /// What it is now.
    #[must_use]
    pub fn get(&self) -> Rate {
        let bits_per_second = f64::from_bits(self.0.load(Ordering::Relaxed));
        if bits_per_second.is_finite() { Rate::BitsPerSecond(bits_per_second) } else { Rate::Unlimited }
    }
}

impl Default for RateControl {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_it() {
        let (setter, keeper) = (RateControl::new(), RateControl::default());
        assert_eq!((setter.get(), keeper.get()), (Rate::Unlimited, Rate::Unlimited));
        let keeper = setter.clone();
        setter.set(Rate::BitsPerSecond(1e9));
        assert_eq!(keeper.get(), Rate::BitsPerSecond(1e9));
        setter.set(Rate::Unlimited);
        assert_eq!(keeper.get(), Rate::Unlimited);
    }
}
