//! `idle`: writes nothing.

use ffi::host::Registers;
use policy::{Spec, SpecError};

use super::Workload;

/// No writes at all.
#[derive(Debug)]
pub(super) struct Idle;

impl Idle {
    pub(super) fn parse(spec: Spec) -> Result<Self, SpecError> {
        spec.finish("nothing")?;
        Ok(Self)
    }
}

impl Workload for Idle {
    fn pick(&self, _cpu: &mut Registers, _share: u64) -> u64 {
        0
    }

    fn after(&self, _due_ns: u64, _now_ns: u64) -> u64 {
        u64::MAX
    }
}
