//! Memory of the same kind as a guest's, that no guest has: for programs that measure what memory alone costs.

use super::HostError;
use super::map::{Access, Mapping, Memfd, PAGE};

/// A mapped memory file that nobody else has.
#[derive(Debug)]
pub struct PlainMemory {
    map: Mapping,
    pages: u64,
}

impl PlainMemory {
    /// Memory of `pages` pages. None of them is there before it is first touched.
    ///
    /// # Errors
    /// [`HostError::Os`].
    pub fn create(pages: u64) -> Result<Self, HostError> {
        Ok(Self { map: Mapping::new(&file(pages)?, Access::ReadWrite)?, pages })
    }

    /// The same, by huge pages where the kernel has some, as a guest's memory is that is received.
    ///
    /// # Errors
    /// [`HostError::Os`].
    pub fn huge(pages: u64) -> Result<Self, HostError> {
        Ok(Self { map: Mapping::huge(&file(pages)?)?, pages })
    }

    /// Touches every page.
    ///
    /// # Errors
    /// [`HostError::Os`] when there is no memory.
    pub fn populate(&self) -> Result<(), HostError> {
        self.map.populate(0..self.pages)
    }

    /// All of its bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory file was made for this map, its descriptor is closed and never left it, so this map is
        // the only one; it is mutably borrowed while the slice lives.
        unsafe { self.map.bytes(&(0..self.pages)).as_mut() }
    }
}

fn file(pages: u64) -> Result<Memfd, HostError> {
    Memfd::create("xc-bench memory", pages * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zero_and_keeps_what_is_written() {
        let mut memory = PlainMemory::create(3).unwrap();
        memory.populate().unwrap();
        let bytes = memory.bytes_mut();
        assert_eq!(bytes.len(), 3 * 4096);
        assert!(bytes.iter().all(|&b| b == 0));
        bytes[5000] = 7;
        assert_eq!(memory.bytes_mut()[5000], 7);
    }
}
