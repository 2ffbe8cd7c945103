//! Numbers that look random and are the same for the same seed: SplitMix64 (Steele, Lea and Flood, "Fast
//! splittable pseudorandom number generators", 2014).

/// The constants of SplitMix64.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: [(u32, u64); 2] = [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)];
const LAST_SHIFT: u32 = 31;
/// Bits of a random number that fit a double.
const MANTISSA: u32 = 53;

/// The `n`-th number, from 1, of this seed.
pub(crate) fn nth(seed: u64, n: u64) -> u64 {
    let start = seed.wrapping_add(GAMMA.wrapping_mul(n));
    let mixed = MIX.iter().fold(start, |z, &(shift, factor)| (z ^ (z >> shift)).wrapping_mul(factor));
    mixed ^ (mixed >> LAST_SHIFT)
}

/// The numbers of a seed, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// From 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.drawn += 1;
        let bits = nth(self.seed, self.drawn) >> (u64::BITS - MANTISSA);
        bits as f64 / (1_u64 << MANTISSA) as f64
    }

    /// A time between two events of which there are `rate` a second on average.
    pub(crate) fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_even_and_exponentials_have_their_mean() {
        let mut random = Random::new(1);
        let units: Vec<_> = (0..100_000).map(|_| random.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!((units.iter().sum::<f64>() / 100_000.0 - 0.5).abs() < 0.005);
        let mean = (0..100_000).map(|_| random.exponential(4.0)).sum::<f64>() / 100_000.0;
        assert!((mean - 0.25).abs() < 0.005, "{mean}");
    }

    #[test]
    fn the_first_numbers_are_those_of_the_paper() {
        // Seed 1234567, as in the reference implementation's published test vector.
        assert_eq!([1, 2].map(|n| nth(1_234_567, n)), [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
