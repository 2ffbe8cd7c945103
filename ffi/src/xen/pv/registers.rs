//! The frames in a PV vCPU's registers (`vcpu_guest_context` of a 64-bit guest): machine frames on a host, pfns in the
//! stream.

use std::mem::offset_of;

use byteorder::{ByteOrder, LE};
use stream::{PageType, Pfn};

use crate::xen::sys::{self, vcpu_guest_context};

const FLAGS: usize = offset_of!(vcpu_guest_context, flags);
/// `user_regs.rdx`, behind r15 to r12, rbp, rbx, r11 to r8, rax and rcx; measured with the C compiler.
const RDX: usize = 616;
const GDT_FRAMES: usize = offset_of!(vcpu_guest_context, gdt_frames);
const GDT_ENTRIES: usize = offset_of!(vcpu_guest_context, gdt_ents);
const CTRLREG: usize = offset_of!(vcpu_guest_context, ctrlreg);
const WORD: usize = size_of::<u64>();
/// The root of the kernel's page tables.
const CR3: usize = CTRLREG + 3 * WORD;
/// In a 64-bit PV guest, which has two: the root of the user's page tables, with bit 0 set in the stream.
const USER_CR3: usize = CTRLREG + WORD;
const USER_CR3_PRESENT: u64 = 1;
const FRAME_SHIFT: u32 = 12;
const GDT_PER_FRAME: u64 = 512;

const _: () = assert!(offset_of!(vcpu_guest_context, user_regs) + 12 * WORD == RDX);

/// Which pages may stand where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Ordinary memory.
    Memory,
    /// The root of page tables.
    Root,
}

impl Use {
    /// Whether a page of this type may be used so.
    pub(super) fn allows(self, kind: PageType) -> bool {
        match self {
            Self::Memory => kind == PageType::NoTab,
            Self::Root => matches!(kind, PageType::L4Tab | PageType::L4TabPinned),
        }
    }
}

/// Puts pfns in the place of the machine frames of a vCPU that was saved.
pub(super) fn normalise(
    vcpu: u32,
    context: &mut [u8],
    pfn_of: impl Fn(u64) -> Option<Pfn>,
) -> Result<(), String> {
    let pfn = |mfn: u64, _: Use| {
        pfn_of(mfn).map(|pfn| pfn.0).ok_or_else(|| format!("machine frame {mfn:#x} is not the guest's"))
    };
    if vcpu == 0 {
        replace(context, RDX, |start_info| pfn(start_info, Use::Memory))?;
    }
    translate_gdt(context, pfn)?;
    replace(context, CR3, |cr3| Ok(pfn(cr3 >> FRAME_SHIFT, Use::Root)? << FRAME_SHIFT))?;
    if LE::read_u64(&context[USER_CR3..]) != 0 {
        replace(context, USER_CR3, |cr3| {
            Ok(pfn(cr3 >> FRAME_SHIFT, Use::Root)? << FRAME_SHIFT | USER_CR3_PRESENT)
        })?;
    }
    Ok(())
}

/// Puts machine frames in the place of the pfns of a vCPU that is to be restored, and switches it on.
pub(super) fn localise(
    vcpu: u32,
    context: &mut [u8],
    mfn_of: impl Fn(Pfn, Use) -> Result<u64, String>,
) -> Result<(), String> {
    let mfn = |pfn: u64, what: Use| mfn_of(Pfn(pfn), what);
    if vcpu == 0 {
        replace(context, RDX, |start_info| mfn(start_info, Use::Memory))?;
    }
    replace(context, FLAGS, |flags| Ok(flags | u64::from(sys::VGCF_online)))?;
    translate_gdt(context, mfn)?;
    replace(context, CR3, |cr3| Ok(mfn(cr3 >> FRAME_SHIFT, Use::Root)? << FRAME_SHIFT))?;
    if LE::read_u64(&context[USER_CR3..]) & USER_CR3_PRESENT != 0 {
        replace(context, USER_CR3, |cr3| Ok(mfn(cr3 >> FRAME_SHIFT, Use::Root)? << FRAME_SHIFT))?;
    }
    Ok(())
}

/// The page with vCPU 0's start info, in its register as the stream has it.
pub(super) fn start_info(context: &[u8]) -> Pfn {
    Pfn(LE::read_u64(&context[RDX..]))
}

fn translate_gdt(
    context: &mut [u8],
    frame_of: impl Fn(u64, Use) -> Result<u64, String>,
) -> Result<(), String> {
    let entries = LE::read_u64(&context[GDT_ENTRIES..]);
    if entries > sys::FIRST_RESERVED_GDT_ENTRY.into() {
        return Err(format!("a GDT of {entries} entries"));
    }
    for frame in 0..entries.div_ceil(GDT_PER_FRAME) {
        let at = GDT_FRAMES + usize::try_from(frame).unwrap_or(0) * WORD;
        replace(context, at, |gdt| frame_of(gdt, Use::Memory))?;
    }
    Ok(())
}

fn replace(context: &mut [u8], offset: usize, by: impl Fn(u64) -> Result<u64, String>) -> Result<(), String> {
    let value = by(LE::read_u64(&context[offset..]))?;
    LE::write_u64(&mut context[offset..], value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xen::vcpu::BASIC_LEN;

    fn context(gdt_entries: u64) -> Vec<u8> {
        let mut context = vec![0; BASIC_LEN];
        for (offset, value) in [
            (RDX, 0x10),
            (GDT_ENTRIES, gdt_entries),
            (GDT_FRAMES, 0x20),
            (GDT_FRAMES + WORD, 0x21),
            (CR3, 0x30 << 12),
            (USER_CR3, 0x31 << 12),
        ] {
            LE::write_u64(&mut context[offset..], value);
        }
        context
    }

    fn word(context: &[u8], offset: usize) -> u64 {
        LE::read_u64(&context[offset..])
    }

    #[test]
    fn the_layout_is_that_of_the_public_header() {
        assert_eq!((GDT_FRAMES, GDT_ENTRIES, CTRLREG), (4832, 4960, 4984));
    }

    #[test]
    fn frames_go_there_and_back() {
        let mut saved = context(513);
        normalise(0, &mut saved, |mfn| Some(Pfn(mfn + 0x1000))).unwrap();
        assert_eq!(start_info(&saved), Pfn(0x1010));
        assert_eq!(word(&saved, GDT_FRAMES + WORD), 0x1021);
        assert_eq!((word(&saved, CR3), word(&saved, USER_CR3)), (0x1030 << 12, 0x1031 << 12 | 1));
        localise(0, &mut saved, |pfn, _| Ok(pfn.0 - 0x1000)).unwrap();
        let mut wanted = context(513);
        LE::write_u64(&mut wanted[FLAGS..], 0x20);
        assert_eq!(saved, wanted, "as before, and online");
    }

    #[test]
    fn only_vcpu_0_has_a_start_info_and_unused_gdt_frames_stay() {
        let mut saved = context(1);
        normalise(1, &mut saved, |mfn| Some(Pfn(mfn + 0x1000))).unwrap();
        assert_eq!((word(&saved, RDX), word(&saved, GDT_FRAMES + WORD)), (0x10, 0x21));
    }

    #[test]
    fn what_is_not_the_guests_is_refused() {
        let error = normalise(0, &mut context(0), |mfn| (mfn != 0x30).then_some(Pfn(mfn))).unwrap_err();
        assert_eq!(error, "machine frame 0x30 is not the guest's");
        assert!(normalise(0, &mut context(7169), |mfn| Some(Pfn(mfn))).is_err());
        let no_root = |pfn: Pfn, what| if what == Use::Root { Err("no".into()) } else { Ok(pfn.0) };
        assert!(localise(0, &mut context(0), no_root).is_err());
    }
}
