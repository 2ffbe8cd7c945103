//! Models made of others: at times only, or at the same time.

use std::iter::Peekable;
use std::time::Duration;

use super::{DirtyModel, Event};

/// Another model that runs for a while, stands still for a while, and so on.
///
/// Over [`ConstantRate`](super::ConstantRate) it is a guest of bursts; over
/// [`kernel_compile`](super::kernel_compile()) it is the "intermittent kernel compilation" of Fang, Liao and Ge, *Live
/// Virtual Machine Migration with Bandwidth Dynamic Assignment*, section 4.3.
#[derive(Clone, Debug)]
pub struct Intermittent<M> {
    inner: M,
    on: Duration,
    off: Duration,
}

impl<M: DirtyModel> Intermittent<M> {
    /// `inner` runs for `on`, then stands still for `off`, and goes on where it was. With no time on it never runs.
    #[must_use]
    pub fn new(inner: M, on: Duration, off: Duration) -> Self {
        Self { inner, on, off }
    }
}

impl<M: DirtyModel> Iterator for Intermittent<M> {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        let (time, event) = self.inner.next()?;
        // An event at the very end of a phase belongs to it.
        let phases = time.as_nanos().saturating_sub(1).checked_div(self.on.as_nanos())?;
        let off = self.off.checked_mul(u32::try_from(phases).ok()?)?;
        Some((time.checked_add(off)?, event))
    }
}

/// Two models at once.
#[derive(Debug)]
pub struct Merged<A: DirtyModel, B: DirtyModel>(Peekable<A>, Peekable<B>);

impl<A: DirtyModel, B: DirtyModel> Merged<A, B> {
    /// Both in one guest.
    #[must_use]
    pub fn new(a: A, b: B) -> Self {
        Self(a.peekable(), b.peekable())
    }
}

impl<A: DirtyModel, B: DirtyModel> Iterator for Merged<A, B> {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        match (self.0.peek(), self.1.peek()) {
            (Some((first, _)), Some((second, _))) if second < first => self.1.next(),
            (Some(_), _) => self.0.next(),
            (None, _) => self.1.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConstantRate;

    fn millis(model: impl DirtyModel, count: usize) -> Vec<u128> {
        model.take(count).map(|(time, _)| time.as_millis()).collect()
    }

    #[test]
    fn a_burst_every_now_and_then() {
        let (on, off) = (Duration::from_millis(20), Duration::from_millis(80));
        let burst = || ConstantRate::new(100, 0..9);
        assert_eq!(millis(Intermittent::new(burst(), on, off), 5), [10, 20, 110, 120, 210]);
        assert_eq!(millis(Intermittent::new(burst(), on, Duration::ZERO), 3), [10, 20, 30]);
        assert_eq!(millis(Intermittent::new(burst(), Duration::ZERO, off), 3), [0; 0]);
    }

    #[test]
    fn two_models_take_turns_in_time() {
        let merged = Merged::new(ConstantRate::new(100, 0..1), ConstantRate::new(40, 9..10));
        let events: Vec<_> = merged.take(7).map(|(time, e)| (time.as_millis(), e.pfn().0)).collect();
        assert_eq!(events, [(10, 0), (20, 0), (25, 9), (30, 0), (40, 0), (50, 0), (50, 9)]);
        assert_eq!(millis(Merged::new(std::iter::empty(), ConstantRate::new(100, 0..1)), 2), [10, 20]);
    }
}
