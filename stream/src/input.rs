//! The bytes of a stream, counted.

use std::io::{Chain, Cursor, Read};

use crate::{Error, Fault, Layer};

/// How much a buffer grows before bytes for it have arrived.
const CHUNK: usize = 64 << 10;

/// A reader of which `N` bytes were looked at.
pub type Peeked<R, const N: usize> = Chain<Cursor<[u8; N]>, R>;

/// A reader that knows at which byte of the stream it is; all layers read through one, so that every
/// [`crate::Error::offset`] is an offset into the file.
///
/// It reads exactly what it is asked for and never ahead. An [`std::io::ErrorKind::Interrupted`] of the reader
/// below is not tried again but passed on: it is how a link says that the migration was aborted.
#[derive(Debug)]
pub struct Input<R> {
    inner: R,
    offset: u64,
    strict: bool,
    warnings: u64,
}

impl<R> Input<R> {
    /// Reads as a restore does: padding and reserved fields that are not zero are counted as [`Self::warnings`],
    /// unknown optional records are skipped.
    pub fn new(inner: R) -> Self {
        Self { inner, offset: 0, strict: false, warnings: 0 }
    }

    /// Reads as `xc-image verify` does: whatever the specification says a writer must not do is an error.
    pub fn strict(inner: R) -> Self {
        Self { strict: true, ..Self::new(inner) }
    }

    /// Whether this is [`Self::strict`].
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many reserved fields and paddings so far were not zero.
    pub fn warnings(&self) -> u64 {
        self.warnings
    }

    /// The reader below.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Puts another reader in place of the one below, to go on at the same offset.
    pub fn map<S>(self, f: impl FnOnce(R) -> S) -> Input<S> {
        Input { inner: f(self.inner), offset: self.offset, strict: self.strict, warnings: self.warnings }
    }

    /// Takes note of a reserved field.
    pub(crate) fn reserved(&mut self, field: &'static str, value: u64) -> Result<(), Fault> {
        self.expect_zero(value, Fault::Reserved { field, value })
    }

    fn expect_zero(&mut self, value: u64, fault: Fault) -> Result<(), Fault> {
        if value == 0 {
            return Ok(());
        }
        if self.strict {
            return Err(fault);
        }
        self.warnings = self.warnings.saturating_add(1);
        Ok(())
    }
}

impl<R: Read> Input<R> {
    /// Fills `buf`.
    ///
    /// # Errors
    /// [`Fault::Truncated`] at the end of the stream, [`Fault::Io`] when the reader below fails.
    pub fn exact(&mut self, buf: &mut [u8]) -> Result<(), Fault> {
        let mut got = 0;
        while got < buf.len() {
            match self.some(&mut buf[got..])? {
                0 => return Err(Fault::Truncated { wanted: buf.len() as u64, got: got as u64 }),
                n => got += n,
            }
        }
        Ok(())
    }

    /// Reads what the reader below gives in one call; 0 is the end of the stream.
    pub(crate) fn some(&mut self, buf: &mut [u8]) -> Result<usize, Fault> {
        let n = self.inner.read(buf).map_err(Fault::Io)?;
        self.offset += n as u64;
        Ok(n)
    }

    /// Looks at the next `N` bytes without using them up.
    pub(crate) fn peek<const N: usize>(mut self) -> Result<([u8; N], Input<Peeked<R, N>>), Fault> {
        let bytes = self.array::<N>()?;
        self.offset -= N as u64;
        Ok((bytes, self.map(|inner| Cursor::new(bytes).chain(inner))))
    }

    /// Reads `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads `len` bytes into memory that grows as they arrive.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        while out.len() < len {
            let at = out.len();
            out.resize(len.min(at + CHUNK), 0);
            self.exact(&mut out[at..]).map_err(|e| e.of(at as u64, len as u64))?;
        }
        Ok(out)
    }

    /// Reads over `len` bytes.
    pub(crate) fn discard(&mut self, len: u64) -> Result<(), Fault> {
        let mut buf = [0; CHUNK];
        let mut left = len;
        while left > 0 {
            let n = left.min(buf.len() as u64);
            let part = usize::try_from(n).unwrap_or(buf.len());
            self.exact(&mut buf[..part]).map_err(|e| e.of(len - left, len))?;
            left -= n;
        }
        Ok(())
    }

    /// Reads the padding that follows a body of `len` bytes.
    pub(crate) fn padding(&mut self, len: u64) -> Result<(), Fault> {
        let mut bytes = [0; 8];
        self.exact(&mut bytes[..padding_len(len)])?;
        let value = u64::from_le_bytes(bytes);
        self.expect_zero(value, Fault::Padding(value))
    }

    /// Reads to the end of the file and says how many bytes there were: what follows a saved domain.
    ///
    /// # Errors
    /// When the reader below fails.
    pub fn rest(&mut self) -> Result<u64, Error> {
        let start = self.offset;
        let mut buf = vec![0; CHUNK];
        loop {
            match self.some(&mut buf) {
                Ok(0) => return Ok(self.offset - start),
                Ok(_) => {}
                Err(fault) => return Err(fault.at(Layer::Trailer, None, self.offset)),
            }
        }
    }
}

impl Fault {
    /// Tells a truncation inside a part from the point of view of the whole.
    fn of(self, before: u64, whole: u64) -> Self {
        match self {
            Self::Truncated { got, .. } => Self::Truncated { wanted: whole, got: before + got },
            other => other,
        }
    }
}

/// Bytes that follow a body of `len` bytes to make a multiple of 8, in the libxc and the libxl stream.
pub(crate) fn padding_len(len: u64) -> usize {
    // At most 7: never truncated.
    usize::try_from(len.wrapping_neg() % 8).unwrap_or(0)
}
