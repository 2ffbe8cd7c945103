//! Small deterministic random numbers: the same on every machine, and one word of state that travels.

/// 2^64 divided by the golden ratio: splitmix64's step.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The next number of the sequence whose state is `state` (splitmix64, Steele and others 2014).
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(STEP);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The start of the sequence number `index` of the family `seed`.
pub(crate) fn fork(seed: u64, index: u64) -> u64 {
    let mut state = seed ^ index.wrapping_mul(STEP).rotate_left(32);
    next(&mut state)
}

/// A number below `limit` (above 0); the bias of the multiplication is below `limit` / 2^64.
pub(crate) fn below(state: &mut u64, limit: u64) -> u64 {
    let wide = u128::from(next(state)) * u128::from(limit);
    u64::try_from(wide >> 64).unwrap_or(0)
}

/// A number in [0, 1), of 53 random bits.
pub(crate) fn unit(state: &mut u64) -> f64 {
    /// 2^53.
    const STEPS: f64 = 9_007_199_254_740_992.0;
    (next(state) >> 11) as f64 / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_bounds_and_repeat() {
        let (mut a, mut b) = (7, 7);
        for _ in 0..10_000 {
            assert!(below(&mut a, 10) < 10);
            assert!((0.0..1.0).contains(&unit(&mut a)));
        }
        for _ in 0..20_000 {
            next(&mut b);
        }
        assert_eq!(a, b);
    }
}
