//! Which record may come when.

use super::page_data::PFN_BITS;
use super::{DomainKind, Limits, Record, RecordType, StreamUse, VcpuPart, check};
use crate::{Fault, PAGE_SIZE, PageEntry, Pfn};

/// The first version of the stream that has `STATIC_DATA_END` and the policies; in older ones it is inferred.
const FIRST_WITH_STATIC_DATA: u32 = 3;

/// The one state machine of a stream: told every record, it says whether the record may come now.
///
/// [`super::Reader`] and [`super::Encoder`] both ask it, so they agree.
#[derive(Clone, Debug)]
pub struct Order {
    kind: DomainKind,
    version: u32,
    limits: Limits,
    guest_width: Option<u8>,
    static_data_ended: bool,
    p2m: Option<P2m>,
    verify: bool,
    vcpu0: bool,
    shared_info: bool,
    tsc_info: bool,
    hvm_context: bool,
    ended: bool,
}

/// How much of a PV guest's p2m has been described.
#[derive(Clone, Copy, Debug)]
struct P2m {
    max_pfn: u32,
    /// Every p2m frame below this one was given.
    frames: u64,
}

impl Order {
    /// A stream of which only the headers were seen.
    #[must_use]
    pub fn new(kind: DomainKind, version: u32, limits: Limits) -> Self {
        Self {
            kind,
            version,
            limits,
            guest_width: None,
            static_data_ended: false,
            p2m: None,
            verify: false,
            vcpu0: false,
            shared_info: false,
            tsc_info: false,
            hvm_context: false,
            ended: false,
        }
    }

    /// Takes the target's limit, when it becomes known.
    pub fn set_pfn_limit(&mut self, pfn_limit: u64) {
        self.limits.pfn_limit = pfn_limit;
    }

    /// Whether the static part is over: `STATIC_DATA_END` came, or is inferred (version 2).
    #[must_use]
    pub fn static_data_ended(&self) -> bool {
        self.static_data_ended
    }

    /// Whether `VERIFY` came: pages are to be compared from here on.
    #[must_use]
    pub fn verifying(&self) -> bool {
        self.verify
    }

    /// Whether `END` came.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Takes any record but `PAGE_DATA`, and checks what it says.
    ///
    /// # Errors
    /// The first thing that is wrong. The stream cannot go on then.
    pub fn record(&mut self, record: &Record) -> Result<(), Fault> {
        self.check_start(record.record_type())?;
        check(record)?;
        match record {
            Record::PvInfo { guest_width, .. } => self.pv_info(*guest_width),
            Record::CpuidPolicy(_) | Record::MsrPolicy(_) => self.policy(),
            Record::StaticDataEnd => self.static_data_end(),
            Record::PvP2mFrames { start, end, frames } => self.p2m_frames(*start, *end, frames),
            Record::Verify => self.verify(),
            Record::PvVcpu { part, vcpu, blob } => self.vcpu(*part, *vcpu, blob),
            Record::SharedInfo(_) => self.shared_info(),
            Record::TscInfo(_) => {
                self.tsc_info = true;
                Ok(())
            }
            Record::HvmContext(_) => {
                self.only(DomainKind::Hvm)?;
                self.hvm_context = true;
                Ok(())
            }
            Record::HvmParams(_) => self.only(DomainKind::Hvm),
            Record::Checkpoint => self.checkpoint(),
            Record::End => self.end(),
            Record::CheckpointDirtyPfns(_) => Err(Fault::Unsupported(RecordType::CheckpointDirtyPfns)),
        }
    }

    /// Takes a `PAGE_DATA` record; [`Self::page`] then checks each of its entries.
    ///
    /// # Errors
    /// When pages may not come yet.
    pub fn page_data(&mut self) -> Result<(), Fault> {
        self.check_start(RecordType::PageData)?;
        self.ready_for_pages()
    }

    /// Checks one entry of a `PAGE_DATA` record.
    ///
    /// # Errors
    /// When the guest cannot have such a page.
    pub fn page(&self, entry: PageEntry) -> Result<(), Fault> {
        let limit = match self.p2m {
            Some(p2m) => self.limits.pfn_limit.min(u64::from(p2m.max_pfn) + 1),
            None => self.limits.pfn_limit,
        };
        let limit = limit.min(1 << PFN_BITS);
        below(entry.pfn, limit)?;
        if self.kind == DomainKind::Hvm && entry.kind.is_page_table() {
            return Err(Fault::PageTable { pfn: entry.pfn, kind: entry.kind });
        }
        Ok(())
    }

    /// Nothing after `END`, and a PV guest's `X86_PV_INFO` before all else.
    fn check_start(&self, record_type: RecordType) -> Result<(), Fault> {
        if self.ended {
            return Err(Fault::AfterEnd);
        }
        if self.is_lane() {
            let of_lane = matches!(record_type, RecordType::PageData | RecordType::Verify | RecordType::End);
            return if of_lane { Ok(()) } else { Err(Fault::WrongUse) };
        }
        let pv_info_missing = self.kind == DomainKind::Pv && self.guest_width.is_none();
        if pv_info_missing && record_type != RecordType::PvInfo {
            return Err(Fault::Before(RecordType::PvInfo));
        }
        Ok(())
    }

    fn only(&self, kind: DomainKind) -> Result<(), Fault> {
        if self.kind == kind { Ok(()) } else { Err(Fault::WrongKind(self.kind)) }
    }

    fn pv_info(&mut self, guest_width: u8) -> Result<(), Fault> {
        self.only(DomainKind::Pv)?;
        match self.guest_width.replace(guest_width) {
            None => Ok(()),
            Some(_) => Err(Fault::Twice),
        }
    }

    fn policy(&self) -> Result<(), Fault> {
        self.has_static_data()?;
        if self.static_data_ended { Err(Fault::After(RecordType::StaticDataEnd)) } else { Ok(()) }
    }

    fn static_data_end(&mut self) -> Result<(), Fault> {
        self.has_static_data()?;
        match std::mem::replace(&mut self.static_data_ended, true) {
            false => Ok(()),
            true => Err(Fault::Twice),
        }
    }

    fn has_static_data(&self) -> Result<(), Fault> {
        if self.version < FIRST_WITH_STATIC_DATA { Err(Fault::WrongVersion(self.version)) } else { Ok(()) }
    }

    /// The static part must be over; in an old stream the first record that needs this ends it.
    fn after_static_data(&mut self) -> Result<(), Fault> {
        if self.version < FIRST_WITH_STATIC_DATA {
            self.static_data_ended = true;
        }
        if self.static_data_ended { Ok(()) } else { Err(Fault::Before(RecordType::StaticDataEnd)) }
    }

    fn ready_for_pages(&mut self) -> Result<(), Fault> {
        if self.is_lane() {
            return Ok(());
        }
        self.after_static_data()?;
        self.needs_p2m()
    }

    fn needs_p2m(&self) -> Result<(), Fault> {
        match (self.kind, self.p2m) {
            (DomainKind::Pv, None) => Err(Fault::Before(RecordType::PvP2mFrames)),
            _ => Ok(()),
        }
    }

    /// Takes a part of the p2m. Parts come in ascending order without gaps, so none can be missing at the end.
    fn p2m_frames(&mut self, start: u32, end: u32, frames: &[Pfn]) -> Result<(), Fault> {
        self.only(DomainKind::Pv)?;
        self.after_static_data()?;
        below(Pfn(end.into()), self.limits.pfn_limit)?;

        let pfns_per_frame = PAGE_SIZE as u64 / u64::from(self.guest_width.unwrap_or(u8::MAX));
        let (first, last) = (u64::from(start) / pfns_per_frame, u64::from(end) / pfns_per_frame);
        p2m_length(frames.len() as u64, last - first + 1)?;

        let done = self.p2m.unwrap_or(P2m { max_pfn: 0, frames: 0 });
        if first > done.frames {
            return Err(Fault::P2mGap { first, expected: done.frames });
        }
        let p2m = P2m { max_pfn: done.max_pfn.max(end), frames: done.frames.max(last + 1) };
        frames.iter().try_for_each(|pfn| below(*pfn, u64::from(p2m.max_pfn) + 1))?;
        self.p2m = Some(p2m);
        Ok(())
    }

    fn verify(&mut self) -> Result<(), Fault> {
        if self.limits.stream_use == StreamUse::Checkpointed {
            return Err(Fault::WrongUse);
        }
        self.ready_for_pages()?;
        match std::mem::replace(&mut self.verify, true) {
            false => Ok(()),
            true => Err(Fault::Twice),
        }
    }

    fn vcpu(&mut self, part: VcpuPart, vcpu: u32, blob: &[u8]) -> Result<(), Fault> {
        self.only(DomainKind::Pv)?;
        if vcpu >= self.limits.vcpu_limit {
            return Err(Fault::VcpuTooHigh { vcpu, limit: self.limits.vcpu_limit });
        }
        if part == VcpuPart::Basic && !blob.is_empty() {
            check::basic_size(self.guest_width.unwrap_or(u8::MAX), blob)?;
            self.vcpu0 |= vcpu == 0;
        }
        Ok(())
    }

    fn shared_info(&mut self) -> Result<(), Fault> {
        self.only(DomainKind::Pv)?;
        self.shared_info = true;
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), Fault> {
        self.only_use(StreamUse::Checkpointed)?;
        self.complete()
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.complete()?;
        self.ended = true;
        Ok(())
    }

    /// The stream that this one is beside says all but the pages.
    fn is_lane(&self) -> bool {
        self.limits.stream_use == StreamUse::Lane
    }

    fn only_use(&self, stream_use: StreamUse) -> Result<(), Fault> {
        if self.limits.stream_use == stream_use { Ok(()) } else { Err(Fault::WrongUse) }
    }

    /// Whether a guest could be made from what came.
    fn complete(&self) -> Result<(), Fault> {
        if self.is_lane() {
            return Ok(());
        }
        let has_static_data = self.version >= FIRST_WITH_STATIC_DATA;
        let pv = self.kind == DomainKind::Pv;
        let needed = [
            (has_static_data && !self.static_data_ended, RecordType::StaticDataEnd),
            (pv && self.p2m.is_none(), RecordType::PvP2mFrames),
            (!self.tsc_info, RecordType::TscInfo),
            (pv && !self.shared_info, RecordType::SharedInfo),
            (!pv && !self.hvm_context, RecordType::HvmContext),
        ];
        if let Some((_, record_type)) = needed.into_iter().find(|(missing, _)| *missing) {
            return Err(Fault::Missing(record_type));
        }
        if pv && !self.vcpu0 { Err(Fault::MissingVcpu) } else { Ok(()) }
    }
}

fn below(pfn: Pfn, limit: u64) -> Result<(), Fault> {
    if pfn.0 < limit { Ok(()) } else { Err(Fault::PfnTooHigh { pfn, limit }) }
}

/// Checks that a `X86_PV_P2M_FRAMES` record holds as many frames as its range has.
fn p2m_length(frames: u64, expected: u64) -> Result<(), Fault> {
    const HEAD: u64 = 8;
    const FRAME: u64 = 8;
    if frames == expected {
        return Ok(());
    }
    Err(Fault::Length { length: HEAD + FRAME * frames, expected: HEAD + FRAME * expected })
}
