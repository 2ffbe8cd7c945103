//! Failures on order: which call of which kind is to fail.

use std::collections::{BTreeMap, BTreeSet};

use crate::SimError;

/// A call of the engine's traits that can be made to fail. It then fails before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultPoint {
    /// `SourceDomain::page_types`.
    PageTypes,
    /// `SourceDomain::batch`.
    Batch,
    /// `SourceDomain::static_records`.
    StaticRecords,
    /// `SourceDomain::records_before_memory`.
    RecordsBeforeMemory,
    /// `SourceDomain::records_after_memory`.
    RecordsAfterMemory,
    /// `DirtyTracker::start`.
    Start,
    /// `DirtyTracker::harvest`.
    Harvest,
    /// `DirtyTracker::peek`.
    Peek,
    /// `DirtyTracker::stop`.
    Stop,
    /// `Toolstack::suspend`.
    Suspend,
    /// `Toolstack::resume`.
    Resume,
    /// `Toolstack::log_device_writes`.
    LogDeviceWrites,
    /// `TargetDomain::begin`.
    Begin,
    /// `TargetDomain::populate`.
    Populate,
    /// `TargetDomain::depopulate`.
    Depopulate,
    /// `TargetDomain::write`.
    Write,
    /// `TargetDomain::read`.
    Read,
    /// `TargetDomain::record`.
    Record,
    /// `TargetDomain::complete`.
    Complete,
}

impl FaultPoint {
    /// The calls of the save side: what [`SimGuest::fail_at`](crate::SimGuest::fail_at) knows.
    pub const SAVE: [Self; 12] = [
        Self::PageTypes,
        Self::Batch,
        Self::StaticRecords,
        Self::RecordsBeforeMemory,
        Self::RecordsAfterMemory,
        Self::Start,
        Self::Harvest,
        Self::Peek,
        Self::Stop,
        Self::Suspend,
        Self::Resume,
        Self::LogDeviceWrites,
    ];

    /// The calls of the restore side: what [`SimTarget::fail_at`](crate::SimTarget::fail_at) knows.
    pub const RESTORE: [Self; 7] = [
        Self::Begin,
        Self::Populate,
        Self::Depopulate,
        Self::Write,
        Self::Read,
        Self::Record,
        Self::Complete,
    ];
}

/// The calls so far, and those that are to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    calls: BTreeMap<FaultPoint, u64>,
    plan: BTreeSet<(FaultPoint, u64)>,
}

impl Faults {
    /// Makes the `nth` call (from 1) of this kind fail.
    pub(crate) fn fail_at(&mut self, point: FaultPoint, nth: u64) {
        self.plan.insert((point, nth));
    }

    /// How many calls of this kind there were, the failed ones too.
    pub(crate) fn calls(&self, point: FaultPoint) -> u64 {
        self.calls.get(&point).copied().unwrap_or(0)
    }

    /// Counts a call, and fails if it is one of the planned.
    pub(crate) fn call(&mut self, point: FaultPoint) -> Result<(), SimError> {
        let nth = self.calls(point) + 1;
        self.calls.insert(point, nth);
        if self.plan.contains(&(point, nth)) { Err(SimError::Fault { point, nth }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_planned_call_fails() {
        let mut faults = Faults::default();
        faults.fail_at(FaultPoint::Batch, 2);
        assert_eq!(faults.call(FaultPoint::Batch), Ok(()));
        assert_eq!(faults.call(FaultPoint::Harvest), Ok(()));
        assert_eq!(faults.call(FaultPoint::Harvest), Ok(()));
        let fault = SimError::Fault { point: FaultPoint::Batch, nth: 2 };
        assert_eq!(faults.call(FaultPoint::Batch), Err(fault));
        assert_eq!(faults.call(FaultPoint::Batch), Ok(()));
        assert_eq!(faults.calls(FaultPoint::Batch), 3);
        assert_eq!(faults.calls(FaultPoint::Stop), 0);
    }
}
