//! What is special in building an HVM or PVH guest.

use std::sync::Arc;

use stream::PAGE_SIZE;
use stream::libxc::{HvmParam, Record};

use crate::xen::domain::Domain;
use crate::xen::foreign::Foreign;
use crate::xen::target::TargetSettings;
use crate::xen::{Error, sys};

/// Pages that two sides share: what the source left in them means nothing here.
const CLEARED: [u32; 4] = [
    sys::HVM_PARAM_STORE_PFN,
    sys::HVM_PARAM_CONSOLE_PFN,
    sys::HVM_PARAM_IOREQ_PFN,
    sys::HVM_PARAM_BUFIOREQ_PFN,
];

/// An HVM or PVH guest that is being built.
#[derive(Debug, Default)]
pub(in crate::xen) struct HvmTarget {
    params: Vec<HvmParam>,
    context: Vec<u8>,
}

impl HvmTarget {
    /// Takes a record that only HVM and PVH guests have. Nothing is applied yet: pages may still follow.
    pub(in crate::xen) fn record(&mut self, domain: &Domain, record: Record) -> Result<(), Error> {
        match record {
            Record::HvmContext(context) => self.context = context,
            Record::HvmParams(params) => self.params.extend(params),
            other => {
                return Err(domain.misfit(format!("an HVM or PVH guest has no {}", other.record_type())));
            }
        }
        Ok(())
    }

    /// The page of one of its rings, if it has that ring.
    pub(in crate::xen) fn ring(&self, index: u32) -> Option<u64> {
        let param = self.params.iter().rev().find(|param| param.index == u64::from(index));
        param.map(|param| param.value).filter(|&pfn| pfn != 0)
    }

    /// Everything has arrived: sets the parameters and the processors.
    pub(in crate::xen) fn complete(
        &mut self,
        domain: &Domain,
        foreign: &Arc<Foreign>,
        settings: &TargetSettings,
    ) -> Result<(), Error> {
        for ring in CLEARED {
            self.clear(domain, foreign, ring);
        }
        for param in &self.params {
            self.apply(domain, *param)?;
        }
        domain.set_hvm_param(sys::HVM_PARAM_STORE_EVTCHN, settings.store.port.into())?;
        domain.set_hvm_param(sys::HVM_PARAM_CONSOLE_EVTCHN, settings.console.port.into())?;
        domain.set_hvm_context(std::mem::take(&mut self.context))
    }

    fn apply(&self, domain: &Domain, param: HvmParam) -> Result<(), Error> {
        let index = u32::try_from(param.index);
        let index = index.map_err(|_| domain.misfit(format!("HVM parameter {}", param.index)))?;
        // Old streams have it; it was only a hint and Xen knows it no more.
        if index == sys::HVM_PARAM_PAE_ENABLED {
            return Ok(());
        }
        domain.set_hvm_param(index, param.value)
    }

    fn clear(&self, domain: &Domain, foreign: &Arc<Foreign>, ring: u32) {
        // A guest without the ring, or a ring that Xen has taken out of the guest's memory, has nothing to clear.
        let Some(pfn) = self.ring(ring) else { return };
        if let Ok(mut mapping) = foreign.map_to_write(domain.domid(), &[pfn]) {
            mapping.pages_mut()[0] = [0; PAGE_SIZE];
        }
    }
}
