//! What a guest does to its memory, and when.

mod hist;
mod kernel_compile;
mod poisson;
mod time;

use std::ops::Range;
use std::time::Duration;

use stream::Pfn;

pub use hist::Hist;
pub use kernel_compile::kernel_compile;
pub use poisson::Poisson;
pub use time::{Intermittent, Merged};

use crate::Content;

/// Nanoseconds in a second.
const SECOND_NS: u128 = 1_000_000_000;

/// Something that happens to a page. What cannot happen does nothing: a write to a hole, a balloon that takes a
/// hole or gives a page that is there, a page beyond the guest's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The guest writes the page.
    Write(Pfn, Content),
    /// A device model writes the page: log-dirty sees it only while devices log their writes too.
    DeviceWrite(Pfn, Content),
    /// The guest gives the page back: from here on it is a hole.
    BalloonOut(Pfn),
    /// The guest gets memory for a hole: a page of zeros.
    BalloonIn(Pfn),
}

impl Event {
    /// The page to which it happens.
    #[must_use]
    pub fn pfn(self) -> Pfn {
        match self {
            Self::Write(pfn, _)
            | Self::DeviceWrite(pfn, _)
            | Self::BalloonOut(pfn)
            | Self::BalloonIn(pfn) => pfn,
        }
    }
}

/// The events of a guest in their order, each with the guest time at which it happens (time in which the guest is
/// suspended does not count). An event earlier than the one before it happens right after that one.
///
/// A recorded or chosen list is `vec![...].into_iter()`, an idle guest [`std::iter::empty`]. A model may be endless,
/// but only finitely many of its events may come before any given time.
pub trait DirtyModel: Iterator<Item = (Duration, Event)> + Send {}

impl<M: Iterator<Item = (Duration, Event)> + Send> DirtyModel for M {}

/// A guest that writes its pages one after the other at a constant rate, in a circle, for ever: the dirty model of
/// AVG (Akoush et al., "Predicting the Performance of Virtual Machine Migration", 2010).
///
/// Write `n`, from 1, happens `n / rate` seconds after the start and leaves `Content(n)`.
#[derive(Clone, Debug)]
pub struct ConstantRate {
    pages_per_second: u64,
    pages: Range<u64>,
    first: u64,
    written: u64,
}

impl ConstantRate {
    /// Writes `pages_per_second` pages of the pfns `pages`. With a rate of 0 or no pages it writes nothing.
    #[must_use]
    pub fn new(pages_per_second: u64, pages: Range<u64>) -> Self {
        Self { pages_per_second, pages, first: 0, written: 0 }
    }

    /// The same guest when it has come to the page this far behind the first one, or round again to it.
    #[must_use]
    pub fn beginning_at(self, first: u64) -> Self {
        Self { first, ..self }
    }
}

impl Iterator for ConstantRate {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.pages.end.saturating_sub(self.pages.start);
        let pfn = Pfn(self.pages.start + (self.first + self.written).checked_rem(count)?);
        let nth = self.written + 1;
        let nanos = (u128::from(nth) * SECOND_NS).checked_div(u128::from(self.pages_per_second))?;
        let time = Duration::from_nanos(u64::try_from(nanos).ok()?);
        self.written = nth;
        Some((time, Event::Write(pfn, Content(nth))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_rate_is_sequential_and_circular() {
        let pfns: Vec<_> = ConstantRate::new(1, 5..8).take(7).map(|(_, event)| event.pfn().0).collect();
        assert_eq!(pfns, [5, 6, 7, 5, 6, 7, 5]);
        let later = ConstantRate::new(1, 5..8).beginning_at(2);
        assert_eq!(later.take(3).map(|(_, event)| event.pfn().0).collect::<Vec<_>>(), [7, 5, 6]);
    }

    #[test]
    fn constant_rate_does_not_drift() {
        let mut model = ConstantRate::new(3, 0..10);
        assert_eq!(model.next(), Some((Duration::from_nanos(333_333_333), Event::Write(Pfn(0), Content(1)))));
        let (time, event) = model.nth(2_999_998).unwrap();
        assert_eq!(time, Duration::from_secs(1_000_000));
        assert_eq!(event, Event::Write(Pfn(9), Content(3_000_000)));
    }

    #[test]
    fn no_rate_or_no_pages_is_an_idle_guest() {
        assert_eq!(ConstantRate::new(0, 0..10).next(), None);
        assert_eq!(ConstantRate::new(10, 3..3).next(), None);
    }
}
