//! A link that is a rate, and the wire that keeps what it carried.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Clock, GuestPage, Link, Undelivered};
use stream::PAGE_SIZE;

use crate::{Traffic, VirtualClock};

/// Bits in a byte times nanoseconds in a second: bytes times this over bits a second are nanoseconds.
const BIT_NS: u128 = 8 * 1_000_000_000;
/// What others' traffic leaves at least: 1 / this of the link, for no queue starves a stream for ever.
const LEAST_SHARE: u64 = 100;

/// What a link carried. Clones share it, and each clone reads from where it stands.
#[derive(Clone, Debug)]
pub struct SimWire {
    carried: Arc<Mutex<Carried>>,
    read: usize,
}

#[derive(Debug)]
struct Carried {
    count: u64,
    bytes: Option<Vec<u8>>,
}

impl SimWire {
    /// A wire that keeps every byte.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Some(Vec::new()))
    }

    /// A wire that only counts: there is nothing to read on it.
    #[must_use]
    pub fn counting() -> Self {
        Self::with(None)
    }

    fn with(bytes: Option<Vec<u8>>) -> Self {
        Self { carried: Arc::new(Mutex::new(Carried { count: 0, bytes })), read: 0 }
    }

    /// How many bytes the link has accepted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// All bytes the link has accepted; none if the wire only counts.
    #[must_use]
    pub fn contents(&self) -> Vec<u8> {
        self.lock().bytes.clone().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Carried> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it needs the bytes, and not only their number.
    fn keeps(&self) -> bool {
        self.lock().bytes.is_some()
    }

    fn push(&self, bytes: &[u8]) {
        let mut carried = self.lock();
        carried.count += bytes.len() as u64;
        if let Some(kept) = &mut carried.bytes {
            kept.extend_from_slice(bytes);
        }
    }

    fn count_only(&self, bytes: u64) {
        self.lock().count += bytes;
    }
}

impl Default for SimWire {
    fn default() -> Self {
        Self::new()
    }
}

/// Reading does not wait: the end of what was carried so far reads as the end of the stream.
impl Read for SimWire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let carried = self.lock();
        let mut left = carried.bytes.as_deref().and_then(|kept| kept.get(self.read..)).unwrap_or_default();
        let count = left.read(out)?;
        drop(carried);
        self.read += count;
        Ok(count)
    }
}

/// A link onto a [`SimWire`], which moves the clock by the time its bytes take.
#[derive(Debug)]
pub struct SimLink {
    clock: VirtualClock,
    wire: SimWire,
    bits_per_second: Option<u64>,
    traffic: Option<Traffic>,
    fresh: Fresh,
    /// How long after it was accepted a byte is delivered.
    late_by: Duration,
    /// When the last one is.
    delivered_at: Duration,
    /// What rounding to whole nanoseconds left over, in nanoseconds times bits a second.
    owed: u128,
    /// How many more bytes it accepts.
    room: u64,
}

/// A target whose memory is fresh: each page that it receives for the first time costs it more.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    /// Bytes that are still to come to such memory.
    bytes: u64,
    /// How fast they can, bit/s.
    bits_per_second: u64,
}

impl SimLink {
    /// A link that takes no time and is never cut.
    #[must_use]
    pub fn new(clock: &VirtualClock, wire: &SimWire) -> Self {
        Self {
            clock: clock.clone(),
            wire: wire.clone(),
            bits_per_second: None,
            traffic: None,
            fresh: Fresh { bytes: 0, bits_per_second: u64::MAX },
            late_by: Duration::ZERO,
            delivered_at: Duration::ZERO,
            owed: 0,
            room: u64::MAX,
        }
    }

    /// The same link at a rate. A rate of 0 is taken as one that takes no time.
    #[must_use]
    pub fn at_rate(self, bits_per_second: u64) -> Self {
        Self { bits_per_second: (bits_per_second > 0).then_some(bits_per_second), ..self }
    }

    /// The same link to a target that takes its first `bytes` no faster than this, bit/s: its memory is fresh, and the
    /// kernel has to find and clear each page.
    ///
    /// The pages that a first round skips come to fresh memory later; here it is the first bytes that do.
    #[must_use]
    pub fn to_fresh_memory(self, bytes: u64, bits_per_second: u64) -> Self {
        Self { fresh: Fresh { bytes, bits_per_second: bits_per_second.max(1) }, ..self }
    }

    /// The same link to a target this far away, through a stream of which at most `window` bytes are on their way
    /// and not acknowledged: it carries no more than a window in a round trip, twice the delay.
    ///
    /// The last byte arrives one delay after the link has accepted it; that is not part of the link's time.
    #[must_use]
    pub fn at_distance(self, delay: Duration, window: u64) -> Self {
        let round_trip = 2 * delay.as_nanos();
        if round_trip == 0 {
            return self;
        }
        let most = u64::try_from(u128::from(window) * BIT_NS / round_trip).unwrap_or(u64::MAX).max(1);
        let bits_per_second = Some(self.bits_per_second.map_or(most, |rate| rate.min(most)));
        Self { bits_per_second, ..self }
    }

    /// The same link through buffers: it delivers each byte this long after it has accepted it.
    #[must_use]
    pub fn late_by(self, delay: Duration) -> Self {
        Self { late_by: delay, ..self }
    }

    /// The same link with others' traffic on it, which goes first. Without a rate there is room for all.
    #[must_use]
    pub fn with_traffic(self, traffic: Traffic) -> Self {
        Self { traffic: Some(traffic), ..self }
    }

    /// The same link, cut behind this many bytes: the byte after them fails as a broken pipe.
    #[must_use]
    pub fn cut_after(self, bytes: u64) -> Self {
        Self { room: bytes, ..self }
    }

    fn accept(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = self.fits(bytes.len() as u64);
        let taken = usize::try_from(fits).unwrap_or(bytes.len());
        self.wire.push(&bytes[..taken]);
        self.taken(fits, bytes.len() as u64)
    }

    /// Accepts bytes that nobody will look at.
    fn accept_unseen(&mut self, bytes: u64) -> io::Result<()> {
        let fits = self.fits(bytes);
        self.wire.count_only(fits);
        self.taken(fits, bytes)
    }

    fn fits(&self, bytes: u64) -> u64 {
        bytes.min(self.room)
    }

    fn taken(&mut self, bytes: u64, offered: u64) -> io::Result<()> {
        self.room -= bytes;
        self.pass_time(bytes);
        self.delivered_at = self.clock.now() + self.late_by;
        if bytes == offered { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn pass_time(&mut self, bytes: u64) {
        if self.bits_per_second.is_none() {
            return;
        }
        let fresh = bytes.min(self.fresh.bytes);
        self.carry(fresh, self.fresh.bits_per_second);
        self.fresh.bytes -= fresh;
        self.carry(bytes - fresh, u64::MAX);
    }

    /// Lets the time of these bytes pass, no faster than this.
    fn carry(&mut self, bytes: u64, most: u64) {
        self.owed += u128::from(bytes) * BIT_NS;
        loop {
            let (rate, left) = self.rate_now();
            let rate = u128::from(rate.min(most));
            let whole = self.owed / rate;
            let pass = left.map_or(whole, |left| left.min(whole));
            self.owed -= pass * rate;
            self.clock.advance(Duration::from_nanos(u64::try_from(pass).unwrap_or(u64::MAX)));
            if pass == whole {
                return;
            }
        }
    }

    /// What the traffic leaves, bit/s, and for how many nanoseconds.
    fn rate_now(&self) -> (u64, Option<u128>) {
        let rate = self.bits_per_second.unwrap_or(u64::MAX);
        let (used, left) = self.traffic.map_or((0, None), |traffic| traffic.phase(self.clock.now()));
        (rate.saturating_sub(used).max(rate / LEAST_SHARE).max(1), left)
    }
}

impl Link for SimLink {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        self.accept(head)?;
        if !self.wire.keeps() {
            let count: usize = pages.iter().map(|run| run.len() * PAGE_SIZE).sum();
            return self.accept_unseen(count as u64);
        }
        let mut bytes = [0; PAGE_SIZE];
        for page in pages.iter().copied().flatten() {
            page.load(&mut bytes);
            self.accept(&bytes)?;
        }
        Ok(())
    }

    fn undelivered(&self) -> Undelivered {
        Undelivered { in_flight: u64::from(self.clock.now() < self.delivered_at), unread: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;

    fn page(content: u64) -> GuestPage {
        GuestPage::from_bytes(&Content(content).bytes())
    }

    #[test]
    fn carries_the_head_and_then_the_pages_in_order() {
        let mut wire = SimWire::new();
        let mut link = SimLink::new(&VirtualClock::new(), &wire);
        link.send(b"head", &[&[page(1), page(2)], &[page(3)]]).unwrap();
        let expected =
            [b"head".as_slice(), &Content(1).bytes(), &Content(2).bytes(), &Content(3).bytes()].concat();
        assert_eq!(wire.contents(), expected);
        assert_eq!(wire.count(), expected.len() as u64);
        let mut read = Vec::new();
        wire.read_to_end(&mut read).unwrap();
        assert_eq!(read, expected);
        assert_eq!(wire.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn time_is_bits_over_rate_without_drift() {
        let clock = VirtualClock::new();
        let mut link = SimLink::new(&clock, &SimWire::counting()).at_rate(24_000_000_000);
        for _ in 0..3_000_000 {
            link.send(&[0], &[]).unwrap();
        }
        assert_eq!(clock.now(), Duration::from_millis(1));
        link.send(&[], &[&[page(1)]]).unwrap();
        assert_eq!(clock.now(), Duration::from_nanos(1_000_000 + 4096 / 3));
    }

    #[test]
    fn without_a_rate_no_time_passes() {
        let clock = VirtualClock::new();
        SimLink::new(&clock, &SimWire::new()).send(&[0; 1000], &[&[page(1)]]).unwrap();
        assert_eq!(clock.now(), Duration::ZERO);
    }

    #[test]
    fn a_cut_link_accepts_up_to_the_cut_and_no_more() {
        let clock = VirtualClock::new();
        let wire = SimWire::new();
        let mut link = SimLink::new(&clock, &wire).at_rate(8_000_000_000).cut_after(10);
        link.send(&[1; 10], &[]).unwrap();
        for _ in 0..2 {
            assert_eq!(link.send(&[2], &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
        assert_eq!(wire.contents(), [1; 10]);
        assert_eq!(clock.now(), Duration::from_nanos(10));
    }

    #[test]
    fn the_cut_may_be_inside_a_page() {
        let wire = SimWire::new();
        let mut link = SimLink::new(&VirtualClock::new(), &wire).cut_after(5000);
        link.send(&[], &[&[page(1), page(2)]]).unwrap_err();
        assert_eq!(wire.count(), 5000);
    }

    #[test]
    fn a_counting_wire_keeps_nothing() {
        let mut wire = SimWire::counting();
        SimLink::new(&VirtualClock::new(), &wire).send(&[1; 7], &[]).unwrap();
        assert_eq!(wire.count(), 7);
        assert_eq!(wire.read(&mut [0; 7]).unwrap(), 0);
    }

    #[test]
    fn a_window_bounds_the_rate_over_a_distance() {
        let time = |delay, window| {
            let clock = VirtualClock::new();
            let link = SimLink::new(&clock, &SimWire::counting()).at_rate(8_000_000);
            link.at_distance(delay, window).send(&[0; 1000], &[]).unwrap();
            clock.now()
        };
        // 100 bytes in 2 x 5 ms are 80 kbit/s; a window of 1 MB would carry more than the link does.
        assert_eq!(time(Duration::from_millis(5), 100), Duration::from_millis(100));
        assert_eq!(time(Duration::from_millis(5), 1_000_000), Duration::from_millis(1));
        assert_eq!(time(Duration::ZERO, 100), Duration::from_millis(1));
    }

    #[test]
    fn fresh_memory_takes_the_first_bytes_slowly() {
        let clock = VirtualClock::new();
        let link = SimLink::new(&clock, &SimWire::new()).at_rate(8_000_000);
        let mut link = link.to_fresh_memory(100, 800_000);
        link.send(&[0; 60], &[]).unwrap();
        assert_eq!(clock.now(), Duration::from_micros(600));
        // 40 at a tenth of the rate, 60 at all of it.
        link.send(&[0; 100], &[]).unwrap();
        assert_eq!(clock.now(), Duration::from_micros(600 + 400 + 60));
    }

    #[test]
    fn traffic_goes_first_while_it_is_there() {
        let clock = VirtualClock::new();
        let phase = Duration::from_millis(1);
        let traffic = Traffic { bits_per_second: 6_000_000, on: phase, off: phase };
        let mut link = SimLink::new(&clock, &SimWire::new()).at_rate(8_000_000).with_traffic(traffic);
        // 250 bytes in the first millisecond, 1000 in the second, 125 in half of the third.
        link.send(&[0; 1375], &[]).unwrap();
        assert_eq!(clock.now(), Duration::from_micros(2500));
        // Many small sends take as long as a large one.
        (0..1375).for_each(|_| link.send(&[0], &[]).unwrap());
        assert_eq!(clock.now(), Duration::from_micros(2 * 2500));
    }

    #[test]
    fn traffic_never_takes_all() {
        let clock = VirtualClock::new();
        let traffic = Traffic::constant(u64::MAX);
        SimLink::new(&clock, &SimWire::new())
            .at_rate(8_000_000)
            .with_traffic(traffic)
            .send(&[0; 10], &[])
            .unwrap();
        assert_eq!(clock.now(), Duration::from_millis(1));
    }
}
