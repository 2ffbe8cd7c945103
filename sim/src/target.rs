//! A domain that is built from a stream, page by page compared with what it must be.

use std::io::Read;

use engine::{BoxError, PageBytes, TargetDomain, TargetMemory};
use stream::libxc::{DomainHeader, DomainKind, Record};
use stream::{PAGE_SIZE, PageEntry, Pfn};

use crate::fault::Faults;
use crate::{Content, FaultPoint, SimError, hvm_context};

/// What is in memory that was just given to the domain: a poison that no guest writes, so that a page which was
/// populated but never written shows.
const FRESH: Content = Content(0xa5a5_a5a5_a5a5_a5a5);

/// A domain whose pages are numbers, being built.
///
/// Every page that arrives is checked whole, and every promise of [`TargetDomain`] that the engine breaks is
/// [`SimError::EngineBug`].
#[derive(Debug)]
pub struct SimTarget {
    pages: Vec<Option<Content>>,
    phase: Phase,
    discards: u32,
    events_applied: Option<u64>,
    has_tsc: bool,
    faults: Faults,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Building,
    Complete,
    Discarded,
}

impl SimTarget {
    /// A domain whose pfns are below `pfn_limit`; none of them has memory yet.
    #[must_use]
    pub fn new(pfn_limit: u64) -> Self {
        Self {
            pages: vec![None; Pfn(pfn_limit).index()],
            phase: Phase::New,
            discards: 0,
            events_applied: None,
            has_tsc: false,
            faults: Faults::default(),
        }
    }

    /// Makes the `nth` call (from 1) of this kind fail.
    pub fn fail_at(&mut self, point: FaultPoint, nth: u64) {
        self.faults.fail_at(point, nth);
    }

    /// How many calls of this kind there were, the failed ones too.
    #[must_use]
    pub fn calls(&self, point: FaultPoint) -> u64 {
        self.faults.calls(point)
    }

    /// What every page holds now; `None` has no memory.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Option<Content>> {
        self.pages.clone()
    }

    /// Whether the domain is whole and could run.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// Whether nothing is left of the domain.
    #[must_use]
    pub fn is_discarded(&self) -> bool {
        self.phase == Phase::Discarded
    }

    /// How many times the engine discarded the domain; never more than once.
    #[must_use]
    pub fn discards(&self) -> u32 {
        self.discards
    }

    /// How many events the guest had seen when its state was taken, once that arrived.
    #[must_use]
    pub fn events_applied(&self) -> Option<u64> {
        self.events_applied
    }

    /// Counts a call that is right only between `begin` and the end.
    fn call(&mut self, point: FaultPoint) -> Result<(), SimError> {
        self.faults.call(point)?;
        if self.phase == Phase::Building {
            Ok(())
        } else {
            Err(SimError::bug(format!("{point:?} of a target that is {:?}", self.phase)))
        }
    }

    fn slot(&mut self, pfn: Pfn) -> Result<&mut Option<Content>, SimError> {
        let limit = self.pages.len();
        let slot = self.pages.get_mut(pfn.index());
        slot.ok_or_else(|| SimError::bug(format!("page {pfn} of a target of {limit:#x} pages")))
    }

    fn populated(&mut self, pfn: Pfn) -> Result<&mut Content, SimError> {
        self.slot(pfn)?.as_mut().ok_or_else(|| SimError::bug(format!("page {pfn} is used but not populated")))
    }
}

impl TargetMemory for SimTarget {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.call(FaultPoint::Populate)?;
        for &pfn in pfns {
            if self.slot(pfn)?.replace(FRESH).is_some() {
                return Err(SimError::bug(format!("page {pfn} populated twice")).into());
            }
        }
        Ok(())
    }

    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.call(FaultPoint::Depopulate)?;
        for &pfn in pfns {
            if self.slot(pfn)?.take().is_none() {
                return Err(SimError::bug(format!("page {pfn} depopulated without memory")).into());
            }
        }
        Ok(())
    }

    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError> {
        self.call(FaultPoint::Write)?;
        let mut bytes = [0; PAGE_SIZE];
        for &PageEntry { pfn, kind } in pages {
            if !kind.has_data() {
                return Err(SimError::bug(format!("page {pfn} written as {kind:?}")).into());
            }
            let page = self.populated(pfn)?;
            data.read_exact(&mut bytes)?;
            *page = Content::of(&bytes).ok_or(SimError::DamagedPage(pfn))?;
        }
        Ok(())
    }

    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError> {
        self.call(FaultPoint::Read)?;
        *out = self.populated(page.pfn)?.bytes();
        Ok(())
    }
}

impl TargetDomain for SimTarget {
    fn begin(&mut self, header: &DomainHeader) -> Result<(), BoxError> {
        self.faults.call(FaultPoint::Begin)?;
        if self.phase != Phase::New {
            return Err(SimError::bug(format!("began a target that is {:?}", self.phase)).into());
        }
        if header.kind != DomainKind::Hvm {
            return Err(SimError::foreign(format!("{:?} domain", header.kind)).into());
        }
        self.phase = Phase::Building;
        Ok(())
    }

    fn pfn_limit(&self) -> u64 {
        self.pages.len() as u64
    }

    fn record(&mut self, record: Record) -> Result<(), BoxError> {
        self.call(FaultPoint::Record)?;
        match record {
            Record::StaticDataEnd => {}
            Record::TscInfo(_) => self.has_tsc = true,
            Record::HvmContext(blob) => self.events_applied = Some(hvm_context::events_applied(&blob)?),
            other => return Err(SimError::foreign(format!("record {other:?}")).into()),
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), BoxError> {
        self.call(FaultPoint::Complete)?;
        if !self.has_tsc {
            return Err(SimError::StateMissing("X86_TSC_INFO").into());
        }
        if self.events_applied.is_none() {
            return Err(SimError::StateMissing("HVM_CONTEXT").into());
        }
        self.phase = Phase::Complete;
        Ok(())
    }

    fn discard(&mut self) {
        self.discards += 1;
        self.phase = Phase::Discarded;
        self.pages.fill(None);
        self.events_applied = None;
        self.has_tsc = false;
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use stream::PageType;

    use super::*;

    const HEADER: DomainHeader = DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 };

    fn building() -> SimTarget {
        let mut target = SimTarget::new(4);
        target.begin(&HEADER).unwrap();
        target
    }

    fn ram(pfn: u64) -> PageEntry {
        PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab }
    }

    fn state() -> [Record; 2] {
        [Record::TscInfo(stream::libxc::TscInfo::default()), Record::HvmContext(hvm_context::build(9))]
    }

    #[track_caller]
    fn assert_bug(result: Result<(), BoxError>) {
        let error = result.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(SimError::EngineBug(_))), "{error}");
    }

    #[test]
    fn keeps_what_is_written_and_gives_it_back() {
        let mut target = building();
        target.populate(&[Pfn(1), Pfn(3)]).unwrap();
        let data = [Content(5).bytes(), Content(6).bytes()].concat();
        target.write(&[ram(1), ram(3)], &mut &data[..]).unwrap();
        assert_eq!(target.snapshot(), [None, Some(Content(5)), None, Some(Content(6))]);
        let mut out = [0; PAGE_SIZE];
        target.read(ram(3), &mut out).unwrap();
        assert_eq!(out, Content(6).bytes());
        target.depopulate(&[Pfn(1)]).unwrap();
        assert_eq!(target.snapshot(), [None, None, None, Some(Content(6))]);
    }

    #[test]
    fn a_page_never_written_is_not_taken_for_a_page_of_zeros() {
        let mut target = building();
        target.populate(&[Pfn(0)]).unwrap();
        assert_eq!(target.snapshot()[0], Some(FRESH));
    }

    #[test]
    fn a_damaged_page_is_refused() {
        let mut target = building();
        target.populate(&[Pfn(2)]).unwrap();
        let mut data = Content(5).bytes();
        data[PAGE_SIZE - 1] ^= 1;
        let error = target.write(&[ram(2)], &mut &data[..]).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&SimError::DamagedPage(Pfn(2))));
    }

    #[test]
    fn the_error_of_the_data_is_passed_on_as_it_is() {
        let mut target = building();
        target.populate(&[Pfn(2)]).unwrap();
        let error = target.write(&[ram(2)], &mut &[0; 100][..]).unwrap_err();
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn broken_promises_are_engine_bugs() {
        let data = Content(1).bytes();
        let mut target = SimTarget::new(4);
        assert_bug(target.populate(&[Pfn(0)]));
        target.begin(&HEADER).unwrap();
        assert_bug(target.begin(&HEADER));
        target.populate(&[Pfn(0)]).unwrap();
        assert_bug(target.populate(&[Pfn(0)]));
        assert_bug(target.populate(&[Pfn(4)]));
        assert_bug(target.depopulate(&[Pfn(1)]));
        assert_bug(target.write(&[ram(1)], &mut &data[..]));
        assert_bug(target.write(&[PageEntry { pfn: Pfn(0), kind: PageType::XTab }], &mut &data[..]));
        assert_bug(target.read(ram(1), &mut [0; PAGE_SIZE]));
        target.discard();
        assert_bug(target.populate(&[Pfn(1)]));
        assert_bug(target.complete());
    }

    #[test]
    fn is_complete_only_with_all_of_its_state() {
        for missing in 0..2 {
            let mut target = building();
            target.record(state()[1 - missing].clone()).unwrap();
            let error = target.complete().unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(SimError::StateMissing(_))), "{error}");
            assert!(!target.is_complete());
            target.record(state()[missing].clone()).unwrap();
            target.complete().unwrap();
            assert!(target.is_complete());
            assert_eq!(target.events_applied(), Some(9));
        }
    }

    #[test]
    fn a_foreign_guest_is_refused() {
        let pv = DomainHeader { kind: DomainKind::Pv, ..HEADER };
        SimTarget::new(4).begin(&pv).unwrap_err();
        building().record(Record::SharedInfo(vec![])).unwrap_err();
        building().record(Record::HvmContext(vec![0; 8])).unwrap_err();
        building().record(Record::StaticDataEnd).unwrap();
    }

    #[test]
    fn discard_leaves_nothing() {
        let mut target = building();
        target.populate(&[Pfn(0)]).unwrap();
        state().into_iter().for_each(|record| target.record(record).unwrap());
        target.discard();
        assert_eq!(target.snapshot(), [None; 4]);
        assert_eq!(target.events_applied(), None);
        assert!(target.is_discarded() && !target.is_complete());
        assert_eq!(target.discards(), 1);
    }

    #[test]
    fn every_call_fails_on_order() {
        type Call = fn(&mut SimTarget) -> Result<(), BoxError>;
        let calls: [(FaultPoint, Call); 7] = [
            (FaultPoint::Begin, |t| t.begin(&HEADER)),
            (FaultPoint::Populate, |t| t.populate(&[Pfn(0)])),
            (FaultPoint::Write, |t| t.write(&[ram(0)], &mut &Content(1).bytes()[..])),
            (FaultPoint::Read, |t| t.read(ram(0), &mut [0; PAGE_SIZE])),
            (FaultPoint::Depopulate, |t| t.depopulate(&[Pfn(0)])),
            (FaultPoint::Record, |t| state().into_iter().try_for_each(|record| t.record(record))),
            (FaultPoint::Complete, TargetDomain::complete),
        ];
        assert_eq!(calls.len(), FaultPoint::RESTORE.len());
        let mut target = SimTarget::new(4);
        for (point, call) in calls {
            target.fail_at(point, 1);
            let error = call(&mut target).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&SimError::Fault { point, nth: 1 }));
            call(&mut target).unwrap();
        }
        assert!(target.is_complete());
    }
}
