//! What others send over the link while a guest migrates.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Network;
use crate::Error;

/// Bytes sent at once.
const PIECE: usize = 16 << 10;
/// How often it is looked whether more is due.
const TICK: Duration = Duration::from_millis(1);
/// What could not be sent in this time is never sent, seconds: a source that has a rate of its own waits for nobody.
const PATIENCE: f64 = 0.01;
/// Bits in a byte.
const BITS: f64 = 8.0;

/// A connection from source to target that carries bytes at a set rate.
#[derive(Debug)]
pub struct Others {
    over: Arc<AtomicBool>,
    sender: JoinHandle<io::Result<f64>>,
    receiver: JoinHandle<io::Result<()>>,
}

impl Others {
    /// Sends at this rate (bit/s of payload) until [`Self::end`].
    ///
    /// # Errors
    /// When there is no connection.
    pub fn start(network: &Network, rate: f64) -> Result<Self, Error> {
        let failed = |cause| Error::io("connect through the link", cause);
        let listener = network.target.inside(|| TcpListener::bind((network.address, 0)).map_err(failed))?;
        let at = listener.local_addr().map_err(failed)?;
        let stream = network.source.inside(|| TcpStream::connect(at).map_err(failed))?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        Ok(Self {
            over,
            sender: thread::spawn(move || send(stream, rate, &is_over)),
            receiver: thread::spawn(move || receive(&listener)),
        })
    }

    /// Ends it; returns the rate that was reached, bit/s of payload.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn end(self) -> Result<f64, Error> {
        self.over.store(true, Ordering::Relaxed);
        let failed = |cause| Error::io("send through the link", cause);
        let died = || failed(io::Error::other("a thread panicked"));
        let rate = self.sender.join().map_err(|_| died())?.map_err(failed)?;
        self.receiver.join().map_err(|_| died())?.map_err(failed)?;
        Ok(rate)
    }
}

fn send(mut stream: TcpStream, rate: f64, is_over: &AtomicBool) -> io::Result<f64> {
    let (piece, start) = ([0x5a; PIECE], Instant::now());
    let (mut sent, mut given_up) = (0.0, 0.0);
    while !is_over.load(Ordering::Relaxed) {
        let mut due = start.elapsed().as_secs_f64() * rate / BITS - sent - given_up;
        let late = due - PATIENCE * rate / BITS;
        if late > 0.0 {
            given_up += late;
            due -= late;
        }
        while due >= PIECE as f64 {
            stream.write_all(&piece)?;
            sent += PIECE as f64;
            due -= PIECE as f64;
        }
        thread::sleep(TICK);
    }
    Ok(sent * BITS / start.elapsed().as_secs_f64())
}

fn receive(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, mut piece) = (listener.accept()?.0, vec![0; PIECE]);
    while stream.read(&mut piece)? > 0 {}
    Ok(())
}
