//! The bytes of one `send`, and the iovecs that lead the kernel straight to them.

use std::marker::PhantomData;

use engine::GuestPage;

/// `IOV_MAX` of Linux (`UIO_MAXIOV` in `linux/uio.h`).
const IOV_MAX: usize = 1024;

const NOTHING: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };

/// What is still to be sent: the rest of a head, then runs of guest pages.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    head: &'a [u8],
    runs: &'a [&'a [GuestPage]],
    /// How many bytes of the first run are sent already.
    skip: usize,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(head: &'a [u8], runs: &'a [&'a [GuestPage]]) -> Self {
        let mut outgoing = Self { head, runs, skip: 0 };
        outgoing.drop_sent_runs();
        outgoing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.runs.is_empty()
    }

    /// The next bytes, at most `limit` of them.
    pub(super) fn gather(&self, limit: usize) -> Gathered<'a> {
        let mut gathered =
            Gathered { iovecs: [NOTHING; IOV_MAX], used: 0, room: limit, sent_from: PhantomData };
        gathered.push(self.head.as_ptr(), self.head.len());
        let mut skip = self.skip;
        for run in self.runs {
            if gathered.is_full() {
                break;
            }
            // Within the run: `skip` is below the length of the first one and 0 for the others.
            gathered.push(bytes_of(run).wrapping_add(skip), size_of_val(*run) - skip);
            skip = 0;
        }
        gathered
    }

    /// `sent` more bytes are gone, no more than were gathered.
    pub(super) fn advance(&mut self, sent: usize) {
        let of_head = sent.min(self.head.len());
        self.head = &self.head[of_head..];
        self.skip += sent - of_head;
        self.drop_sent_runs();
    }

    fn drop_sent_runs(&mut self) {
        while let Some((first, rest)) = self.runs.split_first()
            && self.skip >= size_of_val(*first)
        {
            self.skip -= size_of_val(*first);
            self.runs = rest;
        }
    }
}

fn bytes_of(run: &[GuestPage]) -> *const u8 {
    run.as_ptr().cast()
}

/// A list of iovecs for one system call. It lies on the stack (16 KiB), so a send allocates nothing.
pub(super) struct Gathered<'a> {
    iovecs: [libc::iovec; IOV_MAX],
    used: usize,
    room: usize,
    sent_from: PhantomData<&'a [GuestPage]>,
}

impl Gathered<'_> {
    /// Each is readable memory that outlives this value.
    pub(super) fn iovecs(&self) -> &[libc::iovec] {
        &self.iovecs[..self.used]
    }

    fn is_full(&self) -> bool {
        self.used == IOV_MAX || self.room == 0
    }

    fn push(&mut self, start: *const u8, len: usize) {
        let len = len.min(self.room);
        if len > 0 && !self.is_full() {
            // The kernel's type knows no const; a write never writes there.
            self.iovecs[self.used] = libc::iovec { iov_base: start.cast_mut().cast(), iov_len: len };
            self.used += 1;
            self.room -= len;
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::PAGE_SIZE;

    use super::*;

    fn lengths(outgoing: &Outgoing<'_>, limit: usize) -> Vec<usize> {
        outgoing.gather(limit).iovecs().iter().map(|v| v.iov_len).collect()
    }

    #[test]
    fn sends_are_resumed_in_the_middle_of_anything() {
        let page = || GuestPage::from_bytes(&[7; PAGE_SIZE]);
        let (two, none, one) = ([page(), page()], [], [page()]);
        let runs: [&[GuestPage]; 3] = [&two, &none, &one];
        let mut outgoing = Outgoing::new(b"head", &runs);
        assert_eq!(lengths(&outgoing, usize::MAX), [4, 2 * PAGE_SIZE, PAGE_SIZE]);
        assert_eq!(lengths(&outgoing, 10), [4, 6]);
        outgoing.advance(3);
        assert_eq!(lengths(&outgoing, usize::MAX), [1, 2 * PAGE_SIZE, PAGE_SIZE]);
        outgoing.advance(1 + PAGE_SIZE + 5);
        assert_eq!(lengths(&outgoing, usize::MAX), [PAGE_SIZE - 5, PAGE_SIZE]);
        outgoing.advance(PAGE_SIZE - 5);
        assert_eq!(lengths(&outgoing, usize::MAX), [PAGE_SIZE]);
        outgoing.advance(PAGE_SIZE);
        assert!(outgoing.is_empty());
    }

    #[test]
    fn no_more_iovecs_than_the_kernel_takes() {
        let page = [GuestPage::from_bytes(&[0; PAGE_SIZE])];
        let runs = vec![page.as_slice(); 3 * IOV_MAX];
        assert_eq!(lengths(&Outgoing::new(b"head", &runs), usize::MAX).len(), IOV_MAX);
    }
}
