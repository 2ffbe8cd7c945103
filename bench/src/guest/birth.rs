//! How a guest comes to be: born by a parent process through the birth cord, or in the foreground.

use std::os::unix::net::UnixListener;
use std::sync::Arc;

use ffi::host::protocol::{Lines, Reply, Request};
use ffi::host::{GuestConfig, GuestMemory, GuestSocket, Host, P2m, adopt_memory, birth_cord, detach, names};
use ffi::scheduler::be_prompt;

use super::machine::Machine;
use super::server::Server;
use crate::Error;
use crate::fill::Fill;

/// Is a guest whose parent holds the other end of standard input; returns when the guest ends.
///
/// # Errors
/// When it cannot be born; the parent hears of it too.
pub fn adopt() -> Result<(), Error> {
    detach()?;
    let mut cord = Lines::new(birth_cord()?);
    let Some(request) = cord.receive().map_err(cord_error)? else { return Ok(()) };
    let born = born(&Host::from_env(), request);
    let reply = match &born {
        Ok(_) => Reply::Done,
        Err(e) => Reply::Refused { reason: e.chain() },
    };
    cord.send(&reply).map_err(cord_error)?;

    let (machine, listener) = born?;
    let (server, ended) = Server::start(machine.clone(), listener)?;
    let parent = server.number();
    machine.lock().controller = Some(parent);
    // The word that the guest runs must not wait for a processor behind the guest.
    let _prompt = be_prompt();
    server.serve(parent, cord);
    // The server itself holds a sender, so this ends only by a message.
    let _ = ended.recv();
    Ok(())
}

/// Is a new guest in this process; returns when the guest ends. `ready` is called when it runs.
///
/// # Errors
/// When it cannot be born.
pub fn run_here(config: GuestConfig, paused: bool, ready: impl FnOnce()) -> Result<(), Error> {
    let (machine, listener) = create(&Host::from_env(), config)?;
    machine.start(&mut machine.lock(), paused)?;
    machine.lock().go();
    let (_server, ended) = Server::start(machine, listener)?;
    ready();
    let _ = ended.recv();
    Ok(())
}

type Born = (Arc<Machine>, UnixListener);

fn born(host: &Host, request: Request) -> Result<Born, Error> {
    match request {
        Request::Create { config } => create(host, config),
        Request::Prepare { config, pid, memory, p2m } => {
            config.check()?;
            let (memory, p2m) = adopt_memory(pid, memory, p2m, config.pages)?;
            let (socket, listener) = bind(host, &config)?;
            Ok((Machine::new(config, memory, p2m, socket, false)?, listener))
        }
        _ => Err(Error::Birth),
    }
}

/// A new guest: memory of its own, filled.
fn create(host: &Host, config: GuestConfig) -> Result<Born, Error> {
    config.check()?;
    let fill: Fill = config.fill.parse()?;
    let (socket, listener) = bind(host, &config)?;
    let (memory, p2m) = (GuestMemory::create(config.pages)?, P2m::create(config.pages)?);
    memory.populate(&p2m, 0..config.pages)?;
    fill.write(&memory, config.seed);
    Ok((Machine::new(config, memory, p2m, socket, true)?, listener))
}

fn bind(host: &Host, config: &GuestConfig) -> Result<(GuestSocket, UnixListener), Error> {
    Ok(GuestSocket::bind(host, &names::incoming(&config.name))?)
}

fn cord_error(source: std::io::Error) -> Error {
    Error::Os { doing: "speak with the process that started the guest", source }
}
