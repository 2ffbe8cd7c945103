//! Where the bytes of a stream go.

use std::io;

use crate::GuestPage;

/// Something that takes the stream's bytes in order: a socket, a pipe, a file, a number in the simulator.
pub trait Link: Send {
    /// Sends `head`, then the runs of pages; returns when the link has accepted every byte.
    ///
    /// # Errors
    /// When the link is closed, or the migration was aborted while it waited
    /// ([`io::ErrorKind::Interrupted`]).
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()>;

    /// How many of the accepted bytes still wait for the other side, as far as the link can tell.
    fn in_flight(&self) -> u64 {
        0
    }
}

impl<L: Link + ?Sized> Link for &mut L {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        (**self).send(head, pages)
    }

    fn in_flight(&self) -> u64 {
        (**self).in_flight()
    }
}
