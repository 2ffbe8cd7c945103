//! A target domain whose static data libxl completes.

use std::io::Read;

use engine::libxc::{DomainHeader, Record};
use engine::{BoxError, PageBytes, PageEntry, Pfn, TargetDomain, TargetMemory};

use super::{Channel, Error, Level, Request};

/// `XGR_SDD_MISSING_CPUID` of `xenguest.h`.
const MISSING_CPUID: u32 = 1;
/// `XGR_SDD_MISSING_MSR` of `xenguest.h`.
const MISSING_MSR: u32 = 2;

/// The world's target, and libxl, which is asked to make up the CPU policy that the stream does not have before
/// the guest gets its memory.
#[derive(Debug)]
pub(super) struct StaticDataTarget<'a, T> {
    target: &'a mut T,
    channel: &'a Channel,
    domid: u32,
    missing: u32,
    done: bool,
}

impl<'a, T> StaticDataTarget<'a, T> {
    pub(super) fn new(target: &'a mut T, channel: &'a Channel, domid: u32) -> Self {
        Self { target, channel, domid, missing: MISSING_CPUID | MISSING_MSR, done: false }
    }

    /// A stream of version 2 does not say that its static data is over: its first p2m or page does.
    fn static_data_done(&mut self) -> Result<(), Error> {
        if !self.done {
            self.done = true;
            self.channel.ask(&Request::StaticDataDone { missing: self.missing })?;
        }
        Ok(())
    }
}

impl<T: TargetDomain> TargetMemory for StaticDataTarget<'_, T> {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.static_data_done()?;
        self.target.populate(pfns)
    }

    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.target.depopulate(pfns)
    }

    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError> {
        self.target.write(pages, data)
    }

    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError> {
        self.target.read(page, out)
    }
}

impl<T: TargetDomain> TargetDomain for StaticDataTarget<'_, T> {
    fn begin(&mut self, header: &DomainHeader) -> Result<(), BoxError> {
        let DomainHeader { kind, xen_major, xen_minor } = header;
        let text = format!("Restoring domain {}, {kind}, from Xen {xen_major}.{xen_minor}", self.domid);
        self.channel.log(Level::Info, &text);
        self.target.begin(header)
    }

    fn record(&mut self, record: Record) -> Result<(), BoxError> {
        match record {
            Record::CpuidPolicy(_) => self.missing &= !MISSING_CPUID,
            Record::MsrPolicy(_) => self.missing &= !MISSING_MSR,
            Record::StaticDataEnd => {
                // The target applies what it has first: libxl adds to it.
                self.target.record(record)?;
                return Ok(self.static_data_done()?);
            }
            Record::PvP2mFrames { .. } => self.static_data_done()?,
            _ => {}
        }
        self.target.record(record)
    }

    fn pfn_limit(&self) -> u64 {
        self.target.pfn_limit()
    }

    fn complete(&mut self) -> Result<(), BoxError> {
        self.target.complete()
    }

    fn discard(&mut self) {
        self.target.discard();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::helper::Callbacks;

    /// A target that takes everything.
    struct Anything;

    impl TargetMemory for Anything {
        fn populate(&mut self, _: &[Pfn]) -> Result<(), BoxError> {
            Ok(())
        }
        fn depopulate(&mut self, _: &[Pfn]) -> Result<(), BoxError> {
            Ok(())
        }
        fn write(&mut self, _: &[PageEntry], _: &mut dyn Read) -> Result<(), BoxError> {
            Ok(())
        }
        fn read(&mut self, _: PageEntry, _: &mut PageBytes) -> Result<(), BoxError> {
            Ok(())
        }
    }

    impl TargetDomain for Anything {
        fn begin(&mut self, _: &DomainHeader) -> Result<(), BoxError> {
            Ok(())
        }
        fn pfn_limit(&self) -> u64 {
            1
        }
        fn record(&mut self, _: Record) -> Result<(), BoxError> {
            Ok(())
        }
        fn complete(&mut self) -> Result<(), BoxError> {
            Ok(())
        }
        fn discard(&mut self) {}
    }

    /// What libxl hears while a target gets these records.
    fn told(records: impl IntoIterator<Item = Record>) -> Vec<u8> {
        told_by(|target| records.into_iter().for_each(|record| target.record(record).unwrap()))
    }

    fn told_by(act: impl FnOnce(&mut StaticDataTarget<'_, Anything>)) -> Vec<u8> {
        let (mut sent, output) = io::pipe().unwrap();
        let channel = Channel::new(&[0; 4][..], output, Callbacks(768));
        let mut anything = Anything;
        let mut target = StaticDataTarget::new(&mut anything, &channel, 5);
        act(&mut target);
        drop(channel);
        let mut bytes = Vec::new();
        sent.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn missing(missing: u32) -> Vec<u8> {
        Request::StaticDataDone { missing }.encode()
    }

    #[test]
    fn libxl_hears_once_what_is_missing() {
        let (cpuid, msr) = (Record::CpuidPolicy(Vec::new()), Record::MsrPolicy(Vec::new()));
        assert_eq!(told([Record::StaticDataEnd]), missing(3));
        assert_eq!(told([cpuid.clone(), Record::StaticDataEnd]), missing(2));
        assert_eq!(told([msr.clone(), Record::StaticDataEnd]), missing(1));
        assert_eq!(told([cpuid, msr, Record::StaticDataEnd]), missing(0));
    }

    #[test]
    fn a_version_2_stream_ends_its_static_data_without_a_word() {
        let frames = Record::PvP2mFrames { start: 0, end: 0, frames: vec![Pfn(0)] };
        assert_eq!(told([frames.clone()]), missing(3));
        let page = |target: &mut StaticDataTarget<'_, Anything>| target.populate(&[Pfn(0)]).unwrap();
        assert_eq!(told_by(page), missing(3));
        let both = told_by(|target| {
            target.record(frames).unwrap();
            page(target);
        });
        assert_eq!(both, missing(3));
    }
}
