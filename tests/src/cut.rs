//! A TCP link that can be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Bytes forwarded at a time.
const CHUNK: usize = 64 << 10;

/// Forwards connections to `target`, and cuts one of them, both ways, after a number of bytes.
#[derive(Debug)]
pub struct CutProxy {
    port: u16,
}

impl CutProxy {
    /// Listens on a port of its own; cuts the first connection once it has forwarded `bytes` bytes to `target_port`.
    ///
    /// # Panics
    /// When there is no port to be had.
    #[must_use]
    pub fn to(target_port: u16, bytes: u64) -> Self {
        Self::cuts(target_port, 0, bytes)
    }

    /// The same with another one of the connections; the first is 0.
    ///
    /// # Panics
    /// When there is no port to be had.
    #[must_use]
    pub fn cuts(target_port: u16, which: usize, bytes: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("a bound port").port();
        thread::spawn(move || {
            for (number, source) in listener.incoming().map_while(Result::ok).enumerate() {
                let bytes = if number == which { bytes } else { u64::MAX };
                thread::spawn(move || pass_on(&source, target_port, bytes));
            }
        });
        Self { port }
    }

    /// Where to connect to.
    #[must_use]
    pub fn link(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }
}

fn pass_on(source: &TcpStream, target_port: u16, bytes: u64) -> io::Result<()> {
    let target = TcpStream::connect(("127.0.0.1", target_port))?;
    let (mut answers, mut back) = (target.try_clone()?, source.try_clone()?);
    thread::spawn(move || io::copy(&mut answers, &mut back));
    forward(source, &target, bytes);
    source.shutdown(Shutdown::Both)?;
    target.shutdown(Shutdown::Both)
}

fn forward(mut source: &TcpStream, mut target: &TcpStream, bytes: u64) {
    let mut left = bytes;
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let Ok(count) = source.read(&mut buffer) else { return };
        let some = usize::try_from(left).map_or(count, |left| count.min(left));
        if count == 0 || target.write_all(&buffer[..some]).is_err() {
            return;
        }
        left -= some as u64;
    }
}
