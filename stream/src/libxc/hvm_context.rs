//! The chain of entries inside an `HVM_CONTEXT` record.
//!
//! Xen reads them; here only the chain itself is checked, so that a damaged context is refused before a domain is
//! built and not by a hypercall at its end. Which type codes there are is Xen's business, and that of other worlds.

use byteorder::{ByteOrder, LE};

use crate::Fault;

/// Bytes of `{u16 typecode, u16 instance, u32 length}`.
const ENTRY_HEAD: usize = 8;
/// The type code of the last entry.
const END: u16 = 0;
/// The type code of the first entry.
const HEADER: u16 = 1;
/// `HVM_FILE_MAGIC`, the first word of the header.
const HEADER_MAGIC: u32 = 0x5438_1286;

/// Checks that `context` is a header, then whole entries, then an end entry and nothing behind.
pub(super) fn check(context: &[u8]) -> Result<(), Fault> {
    check_header(context)?;
    let mut at = 0;
    while at < context.len() {
        let (typecode, end) = entry(context, at)?;
        at = end;
        if typecode == END {
            return match context.len() - at {
                0 => Ok(()),
                tail => Err(Fault::ContextTail(tail as u64)),
            };
        }
    }
    Err(Fault::ContextEnd)
}

fn check_header(context: &[u8]) -> Result<(), Fault> {
    let least = ENTRY_HEAD + size_of_val(&HEADER_MAGIC);
    if context.len() < least {
        return Err(Fault::TooShort { length: context.len() as u64, least: least as u64 });
    }
    let typecode = LE::read_u16(context);
    if typecode != HEADER {
        return Err(Fault::ContextFirst(typecode));
    }
    let magic = LE::read_u32(&context[ENTRY_HEAD..]);
    if magic != HEADER_MAGIC {
        return Err(Fault::ContextMagic(magic));
    }
    Ok(())
}

/// The type code of the entry at `at`, and where it ends.
fn entry(context: &[u8], at: usize) -> Result<(u16, usize), Fault> {
    let rest = &context[at..];
    let Some((head, payload)) = rest.split_first_chunk::<ENTRY_HEAD>() else {
        return Err(Fault::ContextEnd);
    };
    let (typecode, length) = (LE::read_u16(head), u64::from(LE::read_u32(&head[4..])));
    let left = payload.len() as u64;
    match usize::try_from(length) {
        Ok(len) if length <= left => Ok((typecode, at + ENTRY_HEAD + len)),
        _ => Err(Fault::ContextEntry { typecode, at: at as u64, length, left }),
    }
}
