//! What a guest's vCPUs do: which page they write next, and when.
//!
//! A workload is chosen by `NAME[:key=value,...]`. It has no state of its own: all that changes is in the vCPU's
//! registers, which travel with the guest.

mod burst;
mod idle;
mod pagemod;
mod rate;
mod zipf;

use std::fmt::Debug;

use ffi::host::Registers;
use policy::{Spec, SpecError};

use crate::Error;

/// The names of all workloads with their parameters, for a help text.
pub const KNOWN: &str = "idle, pagemod[:rate=30000], zipf[:rate=30000,s=1.0], \
                         burst[:rate=30000,on=200ms,off=800ms]; rate is writes/s of the whole guest, or max";

/// A rule for writes.
pub trait Workload: Debug + Send + Sync {
    /// Chooses the page of the next write out of a vCPU's share of `share` pages (above 0).
    fn pick(&self, cpu: &mut Registers, share: u64) -> u64;

    /// When the write behind the one that was due at `due_ns` and is done at `now_ns` is due, in guest time;
    /// [`u64::MAX`] is never.
    fn after(&self, due_ns: u64, now_ns: u64) -> u64;
}

/// The workload that `spec` names, for a guest of `vcpus` vCPUs.
///
/// # Errors
/// [`Error::Workload`], which lists what exists.
pub fn by_name(spec: &str, vcpus: u32) -> Result<Box<dyn Workload>, Error> {
    parse(spec, vcpus).map_err(|reason| Error::Workload { spec: spec.to_owned(), reason: explain(reason) })
}

fn parse(text: &str, vcpus: u32) -> Result<Box<dyn Workload>, SpecError> {
    let spec: Spec = text.parse()?;
    match spec.name.as_str() {
        "idle" => Ok(Box::new(idle::Idle::parse(spec)?)),
        "pagemod" => Ok(Box::new(pagemod::Pagemod::parse(spec, vcpus)?)),
        "zipf" => Ok(Box::new(zipf::Zipf::parse(spec, vcpus)?)),
        "burst" => Ok(Box::new(burst::Burst::parse(spec, vcpus)?)),
        _ => Err(SpecError::UnknownName { what: "workload", name: spec.name, known: KNOWN.to_owned() }),
    }
}

/// What is wrong, in words that do not call a workload a policy.
fn explain(error: SpecError) -> String {
    match error {
        SpecError::UnknownName { known, .. } => format!("no such workload; there are: {known}"),
        SpecError::UnknownKey { key, known, .. } => format!("no parameter '{key}'; it takes: {known}"),
        SpecError::MissingKey { key, .. } => format!("{key}= is missing"),
        SpecError::BadValue { key, value, expected, .. } => format!("{key}={value} is not {expected}"),
        SpecError::NotKeyValue { text, .. } => format!("'{text}' is not key=value"),
        SpecError::Brackets { text, reason } => format!("'{text}': {reason}"),
        error @ SpecError::Model { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: &str) -> String {
        by_name(spec, 1).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_spec_says_what_there_is() {
        assert!(refusal("dance").contains("there are: idle, pagemod"));
        assert!(refusal("pagemod:speed=1").contains("no parameter 'speed'; it takes: rate"));
        assert!(refusal("pagemod:rate=0").contains("rate=0 is not"));
        assert!(refusal("zipf:s=x").contains("s=x is not"));
        assert!(refusal("burst:on=5").contains("on=5 is not"));
        assert!(refusal("idle:rate=1").contains("no parameter 'rate'"));
        assert!(refusal("pagemod:rate").contains("'rate' is not key=value"));
    }

    #[test]
    fn every_workload_stays_in_its_share() {
        for spec in ["pagemod", "pagemod:rate=max", "zipf:s=0.8", "zipf", "zipf:s=2", "burst"] {
            let workload = by_name(spec, 2).unwrap();
            for share in [1, 2, 1000] {
                let mut cpu = Registers { position: 5000, rng: 1, ..Registers::default() };
                assert!((0..5000).all(|_| workload.pick(&mut cpu, share) < share), "{spec}");
            }
        }
    }
}
