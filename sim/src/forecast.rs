//! What a migration will come to: a run of the engine of which only the report is wanted.

use std::time::Duration;

use engine::libxc::DomainKind;
use engine::{
    Abort, Context, Error, Event, Observer, SaveOptions, SaveReport, Source, StreamSink, Threads, save,
};

use crate::{SimGuest, SimLink, VirtualClock};

/// After so many rounds no policy that ever stops is still going on: with the shortest rounds of a real link, of a
/// few milliseconds, some seconds; with long ones, days.
const MAX_ROUNDS: u32 = 1000;

/// Migrates `guest` over `link` under the policies of `options`, in one thread, and says what it came to.
///
/// Both must run on `clock`, and the guest is suspended afterwards. For speed, make it
/// [`without_content`](SimGuest::without_content) and the link one onto [`SimWire::counting`](crate::SimWire::counting).
///
/// # Errors
/// Those of [`engine::save`]: when the stop policy gives up, or goes on after 1000 rounds ([`Error::Aborted`]), as
/// some do for ever when the guest writes faster than the link sends.
pub fn forecast(
    guest: &SimGuest,
    link: SimLink,
    clock: &VirtualClock,
    options: &mut SaveOptions,
) -> Result<SaveReport, Error> {
    options.threads = Threads::Inline;
    let abort = Abort::new();
    let (mut domain, mut tracker, mut toolstack) = guest.split();
    let source = Source { domain: &mut domain, tracker: &mut tracker, toolstack: &mut toolstack };
    let mut sink = StreamSink::new(link, DomainKind::Hvm, clock, &abort);
    let mut context = Context { clock, observer: &mut Patience(&abort), abort: &abort };
    save(source, &mut sink, options, &mut context)
}

/// Ends what does not end.
struct Patience<'a>(&'a Abort);

impl Observer for Patience<'_> {
    fn event(&mut self, _: Duration, event: Event<'_>) {
        if let Event::Round(round) = event
            && round.number >= MAX_ROUNDS
        {
            self.0.raise(format!("no end after {MAX_ROUNDS} rounds"));
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::{bandwidth, stop};

    use super::*;
    use crate::{ConstantRate, SimConfig, SimLink, SimWire};

    const PAGES: u64 = 100;

    fn run(writes_per_second: u64, stop: &str) -> Result<SaveReport, Error> {
        run_at(&VirtualClock::new(), writes_per_second, stop)
    }

    fn run_at(clock: &VirtualClock, writes_per_second: u64, stop: &str) -> Result<SaveReport, Error> {
        let config = SimConfig { pages: PAGES, ..SimConfig::default() };
        let guest = SimGuest::new(&config, ConstantRate::new(writes_per_second, 0..PAGES), clock);
        let link = SimLink::new(clock, &SimWire::counting()).at_rate(32_768_000);
        let mut options =
            SaveOptions::live(stop::by_name(stop).unwrap(), bandwidth::by_name("unlimited").unwrap());
        forecast(&guest.without_content(), link, clock, &mut options)
    }

    #[test]
    fn a_guest_slower_than_the_link_arrives() {
        // A page takes a millisecond, and a little for the headers.
        let report = run(500, "downtime:20ms").unwrap();
        assert_eq!(report.rounds[0].dirty, 50);
        assert!(report.pages >= 175, "{report:?}");
    }

    #[test]
    fn a_report_says_when_its_times_began() {
        let clock = VirtualClock::new();
        clock.advance(Duration::from_secs(5));
        assert_eq!(run_at(&clock, 500, "downtime:20ms").unwrap().started, Duration::from_secs(5));
    }

    #[test]
    fn a_policy_that_never_stops_is_stopped() {
        let error = run(5000, "downtime:20ms").unwrap_err();
        assert_eq!(error.to_string(), "aborted: no end after 1000 rounds");
    }
}
