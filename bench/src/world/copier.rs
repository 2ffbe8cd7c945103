//! The ideal copier: what a migration would cost if it were nothing but a TCP copy.
//!
//! Two processes and one connection: the sender writes memory of the same content as a guest's straight to the socket, the
//! receiver reads straight into memory of the same kind (a memory file with 4 KiB pages). That memory is either cold,
//! as a new guest's is, or was touched beforehand.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Instant;

use ffi::host::PlainMemory;

use super::draw::draw;
use super::host::{command, spawn, traffic};
use crate::bed::Network;
use crate::plan::Cell;
use crate::run::{Measured, children_seconds};
use crate::{Error, fill};

/// The receiver's answer when it has everything.
const DONE: [u8; 1] = [1];
/// Bytes handed to the kernel at a time: a batch of a migration, 4 MiB.
const BATCH: usize = 4 << 20;
/// This program, which is its own copier.
const PROGRAM: &str = "xc-bench";

/// Whether the receiver's memory was touched before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temperature {
    /// Never.
    Cold,
    /// Every page.
    Warm,
}

impl FromStr for Temperature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "cold" => Ok(Self::Cold),
            "warm" => Ok(Self::Warm),
            _ => Err(Error::Spec { what: "temperature", text: text.to_owned(), expected: "cold or warm" }),
        }
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Cold { "cold" } else { "warm" })
    }
}

/// Is the receiver: listens on a port of `address`, tells it by `listening`, takes the pages of one sender.
///
/// # Errors
/// When there is no memory or the connection fails.
pub fn receive(
    pages: u64,
    temperature: Temperature,
    address: &str,
    listening: impl FnOnce(u16),
) -> Result<(), Error> {
    let mut memory = PlainMemory::create(pages)?;
    if temperature == Temperature::Warm {
        memory.populate()?;
    }
    let taken = || -> std::io::Result<()> {
        let listener = TcpListener::bind((address, 0))?;
        listening(listener.local_addr()?.port());
        let (mut link, _) = listener.accept()?;
        link.read_exact(memory.bytes_mut())?;
        link.write_all(&DONE)
    };
    taken().map_err(|cause| Error::io("receive a copy", cause))
}

/// Is the sender; returns the time from connecting to the receiver's answer, seconds.
///
/// # Errors
/// When there is no memory or the connection fails.
pub fn send(pages: u64, address: &str) -> Result<f64, Error> {
    let mut memory = PlainMemory::create(pages)?;
    memory.populate()?;
    let bytes = memory.bytes_mut();
    fill::write_random(bytes, 1);
    // For the receiver; one that is warm has no use for it, and no harm.
    drop(draw(pages, Temperature::Cold)?);
    let sent = || -> std::io::Result<f64> {
        let start = Instant::now();
        let mut link = TcpStream::connect(address)?;
        link.set_nodelay(true)?;
        bytes.chunks(BATCH).try_for_each(|batch| link.write_all(batch))?;
        link.read_exact(&mut [0; DONE.len()])?;
        Ok(start.elapsed().as_secs_f64())
    };
    sent().map_err(|cause| Error::io("send a copy", cause))
}

pub(super) fn measure(cell: &Cell, temperature: Temperature, network: &Network) -> Result<Measured, Error> {
    let (sent_before, cpu_before) = (network.sent()?, children_seconds());
    let mut take = copier(cell);
    take.args(["receive", network.address, &temperature.to_string()]);
    let mut receiver = network.target.inside(|| spawn(&mut take))?;
    let port = first_line(&mut receiver)?;
    let mut give = copier(cell);
    give.args(["send", &format!("{}:{port}", network.address)]);
    let mut sender = network.source.inside(|| spawn(&mut give))?;
    let seconds = first_line(&mut sender);
    for process in [&mut sender, &mut receiver] {
        process.wait().map_err(|cause| Error::io("wait for the copier", cause))?;
    }
    let total: f64 = number(&seconds?)?;
    let bytes = cell.pages()? * engine::PAGE_SIZE as u64;
    let sent = traffic(sent_before, network.sent()?);
    Ok(Measured {
        total,
        copy: total,
        pages: cell.pages()?,
        bytes,
        cpu: Some(children_seconds() - cpu_before),
        traffic: sent,
        ..Measured::default()
    })
}

fn copier(cell: &Cell) -> Command {
    let mut copier = command(PROGRAM);
    copier.args(["copier", "--memory", &cell.memory]);
    copier.stdin(Stdio::null()).stdout(Stdio::piped());
    copier
}

/// The line in which a copier says its figure.
fn first_line(process: &mut Child) -> Result<String, Error> {
    let silent = || Error::Refused("the copier says nothing".into());
    let mut line = String::new();
    let mut said = BufReader::new(process.stdout.take().ok_or_else(silent)?);
    said.read_line(&mut line).map_err(|cause| Error::io("read from the copier", cause))?;
    if line.is_empty() { Err(silent()) } else { Ok(line.trim().to_owned()) }
}

fn number<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Refused(format!("the copier says '{text}'")))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_copy_arrives() {
        let (listening, port) = mpsc::channel();
        let receiver = std::thread::spawn(move || {
            receive(64, Temperature::Cold, "127.0.0.1", |port| listening.send(port).unwrap())
        });
        let seconds = send(64, &format!("127.0.0.1:{}", port.recv().unwrap())).unwrap();
        assert!(seconds > 0.0);
        receiver.join().unwrap().unwrap();
    }
}
