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

    /// What of the accepted bytes the other side has not read yet, as far as the link can tell.
    fn undelivered(&self) -> Undelivered {
        Undelivered::default()
    }
}

/// Bytes that a link has accepted, and that the other side has not read. Both are 0 where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Those that wait here or are under way.
    pub in_flight: u64,
    /// At most so many have arrived there and wait to be read. It says nothing more exact than that: once it has stayed
    /// the same for as long as it takes to read so many, they are read.
    pub unread: u64,
}

impl<L: Link + ?Sized> Link for &mut L {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        (**self).send(head, pages)
    }

    fn undelivered(&self) -> Undelivered {
        (**self).undelivered()
    }
}
