//! A guest that behaves like one that compiles a kernel.

use std::time::Duration;

use stream::Pfn;

use super::{DirtyModel, Event, Merged, Poisson};
use crate::Content;
use crate::random::Random;

/// The part of all writes that goes to what every job uses: the kernel's own data, the page tables, the caches.
const SHARED_WRITES: f64 = 0.4;
/// The part of memory that these are, 1 / this.
const SHARED_PAGES: u64 = 32;
/// The exponent of Zipf's law among them.
const SHARED_EXPONENT: f64 = 0.9;
/// The pages of a mean job, one run of the compiler: 48 MiB of its own memory.
const JOB_PAGES: f64 = 12_288.0;

/// A kernel compilation, as in Fang, Liao and Ge, *Live Virtual Machine Migration with Bandwidth Dynamic Assignment*,
/// section 4.3, and Zhu et al., *ITC-LM*, section 4.2.
///
/// The papers name the load and give no numbers of it. This one is ours and has what makes the load hard: a
/// compiler runs, writes its own memory once from end to end, somewhere in a guest of `pages` pages, and ends, and
/// the next one begins; besides, shared pages are written all the time, few of them often. `writes_per_second` is
/// the sum of both.
#[must_use]
pub fn kernel_compile(writes_per_second: f64, pages: u64, seed: u64) -> impl DirtyModel + use<> {
    let shared = pages / SHARED_PAGES;
    let common = Poisson::zipf(writes_per_second * SHARED_WRITES, SHARED_EXPONENT, 0..shared, seed);
    let random = Random::new(!seed);
    let rate = writes_per_second * (1.0 - SHARED_WRITES);
    let jobs = Jobs { rate, first: shared, pages, random, next: shared, left: 0, written: 0 };
    Merged::new(common, jobs)
}

/// One job after the other.
#[derive(Clone, Debug)]
struct Jobs {
    rate: f64,
    first: u64,
    pages: u64,
    random: Random,
    /// The next page of the job that runs, and how many it has left.
    next: u64,
    left: u64,
    written: u64,
}

impl Jobs {
    /// Half to one and a half times the mean size, anywhere.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "parts of a number of pages, not negative"
    )]
    fn start_one(&mut self) {
        self.left = (JOB_PAGES * (0.5 + self.random.unit())) as u64;
        self.next = self.first + (self.random.unit() * (self.pages - self.first) as f64) as u64;
    }
}

impl Iterator for Jobs {
    type Item = (Duration, Event);

    fn next(&mut self) -> Option<Self::Item> {
        if self.first >= self.pages {
            return None;
        }
        if self.left == 0 {
            self.start_one();
        }
        let pfn = Pfn(self.next);
        self.left -= 1;
        self.next = if self.next + 1 < self.pages { self.next + 1 } else { self.first };
        self.written += 1;
        let time = Duration::try_from_secs_f64(self.written as f64 / self.rate).ok()?;
        Some((time, Event::Write(pfn, Content(self.written))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_writes_at_its_rate_and_stays_in_the_guest() {
        const PAGES: u64 = 100_000;
        let second: Vec<_> =
            kernel_compile(10_000.0, PAGES, 1).take_while(|(time, _)| time.as_secs() < 10).collect();
        assert!((99_000..101_000).contains(&second.len()), "{}", second.len());
        assert!(second.is_sorted_by_key(|(time, _)| *time));
        assert!(second.iter().all(|(_, event)| event.pfn().0 < PAGES));
    }

    #[test]
    fn jobs_write_new_pages_and_the_shared_ones_again_and_again() {
        let distinct = |from: u64, to: u64| {
            let second = kernel_compile(10_000.0, 100_000, 1).take_while(|(time, _)| time.as_secs() < 1);
            let pfns = second.map(|(_, event)| event.pfn().0).filter(|pfn| (from..to).contains(pfn));
            pfns.collect::<BTreeSet<_>>().len()
        };
        let shared = 100_000 / SHARED_PAGES;
        assert!((5_900..=6_100).contains(&distinct(shared, 100_000)), "{}", distinct(shared, 100_000));
        assert!((500..2_000).contains(&distinct(0, shared)), "{}", distinct(0, shared));
    }

    #[test]
    fn no_writes_or_no_pages_is_an_idle_guest() {
        assert_eq!(kernel_compile(0.0, 1000, 1).next(), None);
        assert_eq!(kernel_compile(10.0, 0, 1).next(), None);
    }
}
