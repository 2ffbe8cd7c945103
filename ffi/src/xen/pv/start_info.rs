//! The start-info page of a 64-bit PV guest, which it reads again when it resumes.

use std::mem::offset_of;

use byteorder::{ByteOrder, LE};
use engine::PageBytes;
use stream::Pfn;

use crate::xen::sys;

const NR_PAGES: usize = offset_of!(sys::start_info, nr_pages);
const SHARED_INFO: usize = offset_of!(sys::start_info, shared_info);
const FLAGS: usize = offset_of!(sys::start_info, flags);
const STORE_MFN: usize = offset_of!(sys::start_info, store_mfn);
const STORE_EVTCHN: usize = offset_of!(sys::start_info, store_evtchn);
const CONSOLE: usize = offset_of!(sys::start_info, console);
const CONSOLE_MFN: usize = CONSOLE + offset_of!(sys::start_info__bindgen_ty_1__bindgen_ty_1, mfn);
const CONSOLE_EVTCHN: usize = CONSOLE + offset_of!(sys::start_info__bindgen_ty_1__bindgen_ty_1, evtchn);

/// What is new for the guest where it resumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) pages: u64,
    /// Machine address of the shared-info page.
    pub(super) shared_info: u64,
    pub(super) store_port: u32,
    pub(super) console_port: u32,
}

/// The machine frames of the two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::xen) struct RingFrames {
    pub(in crate::xen) store: u64,
    pub(in crate::xen) console: u64,
}

/// Tells the guest where it is. On a save the guest itself put pfns in the place of its rings' machine frames.
pub(super) fn restore(
    page: &mut PageBytes,
    arrival: Arrival,
    mfn_of: impl Fn(Pfn) -> Result<u64, String>,
) -> Result<RingFrames, String> {
    let store = mfn_of(Pfn(LE::read_u64(&page[STORE_MFN..])))?;
    let console = mfn_of(Pfn(LE::read_u64(&page[CONSOLE_MFN..])))?;
    LE::write_u64(&mut page[NR_PAGES..], arrival.pages);
    LE::write_u64(&mut page[SHARED_INFO..], arrival.shared_info);
    LE::write_u32(&mut page[FLAGS..], 0);
    LE::write_u64(&mut page[STORE_MFN..], store);
    LE::write_u32(&mut page[STORE_EVTCHN..], arrival.store_port);
    LE::write_u64(&mut page[CONSOLE_MFN..], console);
    LE::write_u32(&mut page[CONSOLE_EVTCHN..], arrival.console_port);
    Ok(RingFrames { store, console })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_the_public_header() {
        assert_eq!((NR_PAGES, SHARED_INFO, FLAGS, STORE_MFN, STORE_EVTCHN), (32, 40, 48, 56, 64));
        assert_eq!((CONSOLE_MFN, CONSOLE_EVTCHN), (72, 80));
    }

    #[test]
    fn rings_get_their_new_frames() {
        let mut page = [0xff; stream::PAGE_SIZE];
        LE::write_u64(&mut page[STORE_MFN..], 5);
        LE::write_u64(&mut page[CONSOLE_MFN..], 6);
        let arrival = Arrival { pages: 9, shared_info: 0x7000, store_port: 1, console_port: 2 };
        let rings = restore(&mut page, arrival, |pfn| Ok(pfn.0 + 0x100)).unwrap();
        assert_eq!(rings, RingFrames { store: 0x105, console: 0x106 });
        assert_eq!(LE::read_u64(&page[CONSOLE_MFN..]), 0x106);
        assert_eq!(LE::read_u32(&page[CONSOLE_EVTCHN..]), 2);
        assert!(restore(&mut page, arrival, |_| Err("no memory".into())).is_err());
    }
}
