//! The state of a simulated guest, in the framing of Xen's HVM context: entries of `{u16 typecode, u16 instance,
//! u32 length}` and `length` bytes, a header first and an end last, all little-endian
//! (`xen/include/public/hvm/save.h`, `xen/include/public/arch-x86/hvm/save.h`).

use crate::SimError;

/// Typecode of the header entry.
const HEADER: u16 = 1;
/// Typecode of the last entry.
const END: u16 = 0;
/// Typecode of our own entry, far above Xen's (which end at 20 in 4.17): the number of events the guest has seen.
const SIM_STATE: u16 = 0x8002;
/// First word of the header.
const MAGIC: u32 = 0x5438_1286;
/// Second word of the header.
const VERSION: u32 = 1;
/// The header's changeset when nothing is known about it.
const NO_CHANGESET: u64 = u64::MAX;
/// The header's cpuid word: there is no processor here.
const NO_CPUID: u32 = 0;

/// Bytes before each entry's body.
const FRAME: usize = 8;

/// The frequency of a simulated guest's time stamp counter, kHz: one tick a nanosecond.
pub(crate) const TSC_KHZ: u32 = 1_000_000;

/// The state of a guest that has seen this many events.
pub(crate) fn build(events_applied: u64) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(MAGIC.to_le_bytes());
    header.extend(VERSION.to_le_bytes());
    header.extend(NO_CHANGESET.to_le_bytes());
    header.extend(NO_CPUID.to_le_bytes());
    header.extend(TSC_KHZ.to_le_bytes());
    [entry(HEADER, &header), entry(SIM_STATE, &events_applied.to_le_bytes()), entry(END, &[])].concat()
}

fn entry(typecode: u16, body: &[u8]) -> Vec<u8> {
    const INSTANCE: u16 = 0;
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&typecode.to_le_bytes()[..], &INSTANCE.to_le_bytes(), &length.to_le_bytes(), body].concat()
}

/// How many events the guest with this state has seen.
pub(crate) fn events_applied(blob: &[u8]) -> Result<u64, SimError> {
    let (header, rest) = expect(HEADER, blob)?;
    let identity = [MAGIC.to_le_bytes(), VERSION.to_le_bytes()].concat();
    if !header.starts_with(&identity) {
        return Err(SimError::foreign("HVM context without Xen's magic and version 1"));
    }
    let (state, rest) = expect(SIM_STATE, rest)?;
    let count = state.try_into().map_err(|_| {
        SimError::foreign(format!("HVM context entry {SIM_STATE:#x} of {} bytes instead of 8", state.len()))
    })?;
    let (_, rest) = expect(END, rest)?;
    if !rest.is_empty() {
        return Err(SimError::foreign(format!("{} bytes behind the end of the HVM context", rest.len())));
    }
    Ok(u64::from_le_bytes(count))
}

/// The body of the first entry, which must have this typecode, and what is behind it.
fn expect(typecode: u16, blob: &[u8]) -> Result<(&[u8], &[u8]), SimError> {
    let cut = || SimError::foreign(format!("HVM context ends in or before entry {typecode:#x}"));
    let (&[t0, t1, _, _, l0, l1, l2, l3], rest) = blob.split_first_chunk::<FRAME>().ok_or_else(cut)?;
    let found = u16::from_le_bytes([t0, t1]);
    if found != typecode {
        return Err(SimError::foreign(format!("HVM context entry {found:#x} in place of {typecode:#x}")));
    }
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    rest.split_at_checked(length).ok_or_else(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(events_applied(&build(0x0123_4567_89ab_cdef)), Ok(0x0123_4567_89ab_cdef));
    }

    #[test]
    fn the_framing_is_xens() {
        let mut expected = vec![1, 0, 0, 0, 24, 0, 0, 0];
        expected.extend([0x86, 0x12, 0x38, 0x54, 1, 0, 0, 0]);
        expected.extend([0xff; 8]);
        expected.extend([0, 0, 0, 0, 0x40, 0x42, 0x0f, 0]);
        expected.extend([0x02, 0x80, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0; FRAME]);
        assert_eq!(build(5), expected);
    }

    #[test]
    fn no_part_of_it_passes_for_the_whole() {
        let whole = build(5);
        for length in 0..whole.len() {
            assert!(events_applied(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(events_applied(&[&whole[..], &[0]].concat()).is_err());
    }

    #[test]
    fn another_guests_state_is_refused() {
        // Typecode, magic, version, our typecode, the length of our entry, the end.
        for at in [0, 8, 12, 32, 36, 48] {
            let mut blob = build(5);
            blob[at] ^= 0x10;
            assert!(events_applied(&blob).is_err(), "byte {at}");
        }
    }
}
