//! Free memory that is really there.
//!
//! The host of a virtual machine may take back what the machine has free (Linux `mm/page_reporting.c`). Whoever then touches
//! that memory first waits for the host, several times as long as for the machine's own work on it, and how many such
//! pages it meets is chance. So before a target takes memory, free memory is touched and given back, as huge pages: so taken, it
//! is what both who take huge pages and who take small ones get next. What was touched as small pages is not what huge ones are
//! made of.

use engine::PAGE_SIZE;
use ffi::host::PlainMemory;
use nix::sys::sysinfo::sysinfo;

use super::Temperature;
use crate::Error;

/// How much of it, for each page that the target will take: it need not get what was freed last.
const TIMES: u64 = 2;
/// The most of what is free, one part in so many: the machine must not run out of memory by this.
const SHARE: u64 = 2;

/// Touched memory, to be dropped: enough for a target of so many pages, if it takes any while it is measured.
///
/// # Errors
/// When there is not so much.
pub(super) fn draw(pages: u64, temperature: Temperature) -> Result<Option<PlainMemory>, Error> {
    match temperature {
        Temperature::Cold => touched((TIMES * pages).min(spare()?)).map(Some),
        Temperature::Warm => Ok(None),
    }
}

/// Pages that may be touched for this.
fn spare() -> Result<u64, Error> {
    let free =
        sysinfo().map_err(|cause| Error::io("ask how much memory is free", cause.into()))?.ram_unused();
    Ok(free / SHARE / PAGE_SIZE as u64)
}

fn touched(pages: u64) -> Result<PlainMemory, Error> {
    let memory = PlainMemory::huge(pages)?;
    memory.populate()?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_touched_for_a_cold_target_only() {
        let mut cold = draw(64, Temperature::Cold).unwrap().unwrap();
        assert_eq!(cold.bytes_mut().len() as u64, TIMES * 64 * PAGE_SIZE as u64);
        assert!(draw(64, Temperature::Warm).unwrap().is_none());
    }

    #[test]
    fn it_is_never_all_that_is_free() {
        let total = sysinfo().unwrap().ram_total();
        assert!(spare().unwrap() * PAGE_SIZE as u64 <= total / SHARE);
    }
}
