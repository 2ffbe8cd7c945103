//! The guest's state as the blob of an `HVM_CONTEXT` record.
//!
//! The framing is Xen's own (`public/arch-x86/hvm/save.h`): entries of
//! `{u16 typecode, u16 instance, u32 length, payload}`, little-endian. The first has typecode 1, the header; the
//! last has typecode 0 and no payload. In between stands one entry of a private typecode far above Xen's (20 in
//! Xen 4.17), whose payload is a [`GuestState`] as JSON. Xen itself refuses an unknown typecode, so such an
//! image cannot start as a Xen domain by accident.

use super::{GuestState, HostError};

/// `HVM_SAVE_CODE` of the header.
const HEADER: u16 = 1;
/// `HVM_SAVE_CODE` of the end.
const END: u16 = 0;
/// Our private typecode: host workload state.
const HOST_STATE: u16 = 0x8001;
/// `HVM_FILE_MAGIC`.
const MAGIC: u32 = 0x5438_1286;
/// `HVM_FILE_VERSION`.
const VERSION: u32 = 1;
/// Header payload: u32 magic, u32 version, u64 changeset, u32 cpuid, u32 gtsc_khz.
const HEADER_LENGTH: usize = 24;
/// Typecode, instance and length.
const DESCRIPTOR: usize = 8;
/// The longest state that is believed: [`super::MAX_VCPUS`] vCPUs of about 130 bytes each, four times over.
const MAX_STATE: usize = 32 << 10;

/// The blob for a state.
pub(super) fn encode(state: &GuestState) -> Result<Vec<u8>, HostError> {
    let json = serde_json::to_vec(state).map_err(|e| fault(0, e.to_string()))?;
    let mut header = Vec::with_capacity(HEADER_LENGTH);
    header.extend(MAGIC.to_le_bytes());
    header.extend(VERSION.to_le_bytes());
    header.resize(HEADER_LENGTH, 0);
    let mut blob = Vec::new();
    for (typecode, payload) in [(HEADER, header), (HOST_STATE, json), (END, Vec::new())] {
        let length = u32::try_from(payload.len()).map_err(|e| fault(blob.len(), e.to_string()))?;
        blob.extend(typecode.to_le_bytes());
        blob.extend(0u16.to_le_bytes());
        blob.extend(length.to_le_bytes());
        blob.extend(payload);
    }
    Ok(blob)
}

/// The state in a blob. Nothing of it is believed: [`GuestState::check`] must follow.
pub(super) fn decode(blob: &[u8]) -> Result<GuestState, HostError> {
    let mut offset = 0;
    check_header(entry(blob, &mut offset, HEADER, "the header")?)?;
    let at = offset;
    let json = entry(blob, &mut offset, HOST_STATE, "the state of a host guest")?;
    if json.len() > MAX_STATE {
        return Err(fault(at, format!("the state has {} bytes, allowed are {MAX_STATE}", json.len())));
    }
    let state = serde_json::from_slice(json).map_err(|e| fault(at, format!("bad state: {e}")))?;
    entry(blob, &mut offset, END, "the end")?;
    if offset != blob.len() {
        return Err(fault(offset, format!("{} bytes behind the end", blob.len() - offset)));
    }
    Ok(state)
}

/// The payload of the entry at `offset`, which must have this typecode; moves `offset` behind it.
fn entry<'a>(blob: &'a [u8], offset: &mut usize, want: u16, what: &str) -> Result<&'a [u8], HostError> {
    let at = *offset;
    let short = || fault(at, format!("the blob ends where {what} should be"));
    let rest = blob.get(at..).ok_or_else(short)?;
    let (descriptor, rest) = rest.split_first_chunk::<DESCRIPTOR>().ok_or_else(short)?;
    let [t0, t1, _, _, l0, l1, l2, l3] = *descriptor;
    let (typecode, length) = (u16::from_le_bytes([t0, t1]), u32::from_le_bytes([l0, l1, l2, l3]) as usize);
    if typecode != want {
        return Err(fault(at, format!("typecode {typecode:#x} where {what} ({want:#x}) should be")));
    }
    let payload = rest.get(..length).ok_or_else(|| fault(at, format!("length {length} exceeds the blob")))?;
    *offset = at + DESCRIPTOR + length;
    Ok(payload)
}

fn check_header(payload: &[u8]) -> Result<(), HostError> {
    let header: &[u8; HEADER_LENGTH] = payload
        .try_into()
        .map_err(|_| fault(0, format!("the header has {} bytes, not 24", payload.len())))?;
    let [m0, m1, m2, m3, v0, v1, v2, v3, ..] = *header;
    let (magic, version) = (u32::from_le_bytes([m0, m1, m2, m3]), u32::from_le_bytes([v0, v1, v2, v3]));
    if (magic, version) != (MAGIC, VERSION) {
        return Err(fault(0, format!("magic {magic:#x}, version {version}: not an HVM context")));
    }
    Ok(())
}

fn fault(offset: usize, what: String) -> HostError {
    HostError::Context { offset, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{GuestConfig, Registers};

    fn state() -> GuestState {
        let config = GuestConfig {
            name: "web".into(),
            pages: 64,
            vcpus: 1,
            workload: "idle".into(),
            fill: "zero".into(),
            seed: 7,
        };
        let cpu = Registers { position: 3, rng: 9, writes: 11, due_ns: 13 };
        GuestState { vcpus: vec![cpu], clock_ns: 17, ..GuestState::new(&config) }
    }

    #[test]
    fn comes_back_as_it_went() {
        assert_eq!(decode(&encode(&state()).unwrap()).unwrap(), state());
    }

    #[test]
    fn every_cut_and_every_surplus_is_refused() {
        let blob = encode(&state()).unwrap();
        for end in 0..blob.len() {
            assert!(decode(&blob[..end]).is_err(), "cut at {end}");
        }
        assert!(decode(&[&blob[..], &[0]].concat()).is_err());
    }

    #[test]
    fn flipped_bytes_never_panic_and_bad_framing_is_named() {
        let blob = encode(&state()).unwrap();
        for at in 0..blob.len() {
            let mut bad = blob.clone();
            bad[at] ^= 0xff;
            let _ = decode(&bad);
        }
        let mut bad = blob;
        bad[8] ^= 1;
        assert!(decode(&bad).unwrap_err().to_string().contains("magic"));
    }
}
