//! Free memory that is really there.
//!
//! The host of a virtual machine may take back what the machine has free (Linux `mm/page_reporting.c`). Whoever then touches
//! that memory first waits for the host, several times as long as for the machine's own work on it, and how many such
//! pages it meets is chance. So before a target takes memory, free memory is touched and given back.

use engine::{PAGE_SIZE, Pfn};
use nix::sys::sysinfo::sysinfo;

use super::Temperature;
use crate::Error;

/// How much of it, for each byte that the target will take: it need not get what was freed last.
const TIMES: usize = 2;
/// The most of what is free, one part in so many: the machine must not run out of memory by this.
const SHARE: u64 = 2;

/// Touched memory, to be dropped: enough for a target of so many pages, if it takes any while it is measured.
///
/// # Errors
/// When there is not so much.
pub(super) fn draw(pages: u64, temperature: Temperature) -> Result<Vec<u8>, Error> {
    match temperature {
        Temperature::Cold => touched((TIMES * Pfn(pages).index() * PAGE_SIZE).min(spare()?)),
        Temperature::Warm => Ok(Vec::new()),
    }
}

/// Bytes that may be touched for this.
fn spare() -> Result<usize, Error> {
    let free =
        sysinfo().map_err(|cause| Error::io("ask how much memory is free", cause.into()))?.ram_unused();
    Ok(usize::try_from(free / SHARE).unwrap_or(usize::MAX))
}

fn touched(bytes: usize) -> Result<Vec<u8>, Error> {
    let mut memory = Vec::new();
    let room = memory.try_reserve_exact(bytes);
    room.map_err(|_| Error::Refused(format!("there are no {bytes} bytes of memory for a target")))?;
    // Not zeros: the kernel has those without memory.
    memory.resize(bytes, 1);
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_touched_for_a_cold_target_only() {
        let cold = draw(64, Temperature::Cold).unwrap();
        assert_eq!(cold.len(), TIMES * 64 * PAGE_SIZE);
        assert!(cold.iter().all(|&byte| byte == 1));
        assert!(draw(64, Temperature::Warm).unwrap().is_empty());
    }

    #[test]
    fn it_is_never_all_that_is_free() {
        assert!((spare().unwrap() as u64) <= sysinfo().unwrap().ram_total() / SHARE);
    }
}
