//! Bandwidth policies: how fast to send.

mod bda;
mod fixed;
mod incremental;
mod metered;
mod unlimited;

pub use bda::Bda;
pub use fixed::Fixed;
pub use incremental::Incremental;
pub use metered::{Meter, Metered};
pub use unlimited::Unlimited;

use crate::units::bits_per_second;
use crate::{Facts, Spec, SpecError};

/// A sending rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as the link takes it.
    Unlimited,
    /// At most this many bit/s.
    BitsPerSecond(f64),
}

/// What the rate is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The next round, the guest runs.
    Round,
    /// The last pages, the guest is suspended.
    StopAndCopy,
}

/// A rule that sets the rate before each round and before the stop-and-copy, and is asked again every 100 ms meanwhile.
pub trait BandwidthPolicy: Send {
    /// The name by which it is chosen.
    fn name(&self) -> &'static str;

    /// The rate from now on.
    fn rate(&mut self, stage: Stage, facts: &Facts<'_>) -> Rate;

    /// Whether [`Facts::link`] matters to it: to measure that costs a moment before the migration begins.
    fn reads_link(&self) -> bool {
        false
    }
}

/// The names that [`by_name`] knows, with their parameters.
pub const NAMES: [&str; 4] =
    ["bda[:link=RATE]", "fixed:rate=R", "incremental[:start=100M,step=50M,cap=500M]", "unlimited"];

/// What a parameter that is a rate must be.
const RATE: &str = "a rate in bit/s such as 100M or 10G, at least 8";

/// Makes the policy that `text` (`NAME[:key=value,...]`) names.
///
/// # Errors
/// A [`SpecError`] that lists what exists and what was expected.
pub fn by_name(text: &str) -> Result<Box<dyn BandwidthPolicy>, SpecError> {
    let mut spec: Spec = text.parse()?;
    match spec.name.as_str() {
        "bda" => Ok(Box::new(Bda::from_spec(spec)?)),
        "fixed" => {
            let bits_per_second = spec.need("rate", RATE, bits_per_second)?;
            spec.finish("rate").map(|()| Box::new(Fixed { bits_per_second }) as _)
        }
        "incremental" => Ok(Box::new(Incremental::from_spec(spec)?)),
        "unlimited" => spec.finish("none").map(|()| Box::new(Unlimited) as _),
        _ => Err(SpecError::UnknownName { what: "bandwidth", name: spec.name, known: NAMES.join(", ") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_holds_for_every_stage_and_unlimited_for_none() {
        let facts = Facts { pages: 1, ..Facts::default() };
        for stage in [Stage::Round, Stage::StopAndCopy] {
            let rate = |name| by_name(name).unwrap().rate(stage, &facts);
            assert_eq!(rate("fixed:rate=1G"), Rate::BitsPerSecond(1e9));
            assert_eq!(rate("unlimited"), Rate::Unlimited);
        }
        let mistake = by_name("fixed:rate=fast").map(|_| ()).unwrap_err().to_string();
        assert!(mistake.starts_with("policy 'fixed': rate=fast is not a rate in bit/s"), "{mistake}");
    }
}
