//! Page tables of a 64-bit PV guest: they hold machine frames, which mean nothing on another machine. In the stream
//! they hold pfns.

use std::ops::Range;

use engine::PageBytes;
use stream::Pfn;

use crate::xen::Error;

/// Bit 0 of an entry: it maps something.
const PRESENT: u64 = 1;
/// Bit 7 of an entry above level 1: a superpage, which PV guests do not have.
const SUPERPAGE: u64 = 1 << 7;
/// Bits 51 to 12: the frame.
const FRAME: u64 = 0x000f_ffff_ffff_f000;
const FRAME_SHIFT: u32 = 12;
/// The entries of a level 4 table that are Xen's own (0xffff8000_00000000 to 0xffff87ff_ffffffff).
const XEN_SLOTS: Range<usize> = 256..272;

/// Puts pfns in the place of machine frames; `pfn_of` knows those of the guest itself.
pub(super) fn normalise(
    table: Pfn,
    level: u8,
    page: &mut PageBytes,
    pfn_of: impl Fn(u64) -> Option<Pfn>,
) -> Result<(), Error> {
    translate(table, level, page, |mfn| match pfn_of(mfn) {
        Some(pfn) => Ok(pfn.0),
        None => Err(format!("machine frame {mfn:#x} is not the guest's")),
    })?;
    if level == 4 {
        entries(page)[XEN_SLOTS].fill([0; 8]);
    }
    Ok(())
}

/// Puts machine frames in the place of pfns; `mfn_of` knows those that have memory.
pub(super) fn localise(
    table: Pfn,
    level: u8,
    page: &mut PageBytes,
    mfn_of: impl Fn(Pfn) -> Option<u64>,
) -> Result<(), Error> {
    translate(table, level, page, |pfn| {
        mfn_of(Pfn(pfn)).ok_or_else(|| format!("page {pfn:#x} has no memory"))
    })
}

/// Replaces the frame of every present entry that is the guest's, and keeps the flags.
fn translate(
    table: Pfn,
    level: u8,
    page: &mut PageBytes,
    frame_of: impl Fn(u64) -> Result<u64, String>,
) -> Result<(), Error> {
    for (index, bytes) in entries(page).iter_mut().enumerate() {
        let entry = u64::from_le_bytes(*bytes);
        if entry & PRESENT == 0 || (level == 4 && XEN_SLOTS.contains(&index)) {
            continue;
        }
        let wrong = |fault| Error::PageTable { pfn: table, index, fault };
        if level > 1 && entry & SUPERPAGE != 0 {
            return Err(wrong(format!("{entry:#x} is a superpage")));
        }
        let frame = frame_of((entry & FRAME) >> FRAME_SHIFT).map_err(wrong)?;
        *bytes = (entry & !FRAME | frame << FRAME_SHIFT).to_le_bytes();
    }
    Ok(())
}

fn entries(page: &mut PageBytes) -> &mut [[u8; 8]] {
    page.as_chunks_mut().0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NX: u64 = 1 << 63;

    fn page(values: &[(usize, u64)]) -> PageBytes {
        let mut page = [0; stream::PAGE_SIZE];
        for &(index, value) in values {
            entries(&mut page)[index] = value.to_le_bytes();
        }
        page
    }

    fn entry(page: &mut PageBytes, index: usize) -> u64 {
        u64::from_le_bytes(entries(page)[index])
    }

    #[test]
    fn flags_stay_and_frames_go_there_and_back() {
        let mut table = page(&[(0, NX | 0x5000 | 0x67), (1, 0xdead_0000), (511, 0x9000 | PRESENT)]);
        normalise(Pfn(1), 1, &mut table, |mfn| Some(Pfn(mfn + 0x100))).unwrap();
        assert_eq!(entry(&mut table, 0), NX | 0x10_5000 | 0x67);
        assert_eq!(entry(&mut table, 1), 0xdead_0000, "not present: nothing to translate");
        localise(Pfn(1), 1, &mut table, |pfn| Some(pfn.0 - 0x100)).unwrap();
        assert_eq!(entry(&mut table, 0), NX | 0x5000 | 0x67);
        assert_eq!(entry(&mut table, 511), 0x9000 | PRESENT);
    }

    #[test]
    fn xens_slots_are_not_translated_and_not_sent() {
        let mut table = page(&[(255, 0x1001), (256, 0x2001), (271, 0x3001), (272, 0x4001)]);
        let known = |mfn| (mfn == 1 || mfn == 4).then_some(Pfn(mfn));
        normalise(Pfn(1), 4, &mut table, known).unwrap();
        let left = [255, 256, 271, 272].map(|index| entry(&mut table, index));
        assert_eq!(left, [0x1001, 0, 0, 0x4001]);
        // A lower level has no such slots.
        assert!(normalise(Pfn(1), 3, &mut page(&[(256, 0x2001)]), known).is_err());
    }

    #[test]
    fn a_foreign_frame_and_a_superpage_are_named() {
        let error = normalise(Pfn(7), 1, &mut page(&[(3, 0x2001)]), |_| None).unwrap_err();
        assert_eq!(error.to_string(), "page table 0x7, entry 3: machine frame 0x2 is not the guest's");
        let mut superpage = page(&[(3, 0x2001 | SUPERPAGE)]);
        assert!(localise(Pfn(7), 2, &mut superpage, |_| Some(1)).is_err());
        // Bit 7 of a level 1 entry is PAT.
        assert!(localise(Pfn(7), 1, &mut superpage, |_| Some(1)).is_ok());
        let error = localise(Pfn(7), 1, &mut page(&[(0, 0xff_f001)]), |_| None).unwrap_err();
        assert_eq!(error.to_string(), "page table 0x7, entry 0: page 0xfff has no memory");
    }
}
