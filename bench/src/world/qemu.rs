//! A peer: a stopped guest of Debian's QEMU, whose memory is a file of the same content as our guests'.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ffi::host::PlainMemory;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::draw::draw;
use super::host::{spawn, traffic};
use super::qmp::Qmp;
use super::{QemuMemory, Temperature};
use crate::bed::Network;
use crate::plan::Cell;
use crate::run::{Measured, cpu_seconds_of};
use crate::{Error, fill};

/// The program of Debian's package qemu-system-x86.
const PROGRAM: &str = "qemu-system-x86_64";
/// No limit: the most that QEMU takes, bytes/s.
const NO_LIMIT: u64 = 1 << 50;
/// How often the migration is looked at; its time is QEMU's own figure.
const LOOK: Duration = Duration::from_millis(2);
/// How long a migration may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Milliseconds in a second.
const MS: f64 = 1e3;

/// A running QEMU, killed when dropped.
struct Vm {
    process: Child,
    qmp: Qmp,
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn measure(
    cell: &Cell,
    memory: QemuMemory,
    channels: Option<u8>,
    network: &Network,
) -> Result<Measured, Error> {
    let files = TempDir::new_in("/run").map_err(|cause| Error::io("make a directory in /run", cause))?;
    let content = memory_file(files.path(), cell.pages()?)?;
    let (pages, size) = (cell.pages()?, cell.pages()? * engine::PAGE_SIZE as u64);
    let with_memory =
        format!("memory-backend-file,id=mem,size={size},share=on,mem-path={}", content.display());
    let mut source = network.source.inside(|| start(files.path(), "source", size, &with_memory, false))?;
    let (kind, temperature) = match memory {
        // As a new guest of ours has it. `prealloc`: QEMU touches it first.
        QemuMemory::File(Temperature::Cold) => ("memfd,share=on", Temperature::Cold),
        QemuMemory::File(Temperature::Warm) => ("memfd,share=on,prealloc=on", Temperature::Warm),
        QemuMemory::Ram => ("ram", Temperature::Cold),
    };
    let fresh = format!("memory-backend-{kind},id=mem,size={size}");
    let mut target = network.target.inside(|| start(files.path(), "target", size, &fresh, true))?;
    for vm in [&mut source, &mut target] {
        configure(&mut vm.qmp, channels)?;
    }
    let port = network.target.inside(|| free_port(network.address))?;
    let uri = json!({ "uri": format!("tcp:{}:{port}", network.address) });
    target.qmp.call("migrate-incoming", &uri)?;
    drop(draw(pages, temperature)?);

    let (sent_before, cpu_before) = (network.sent()?, cpu_of(&source) + cpu_of(&target));
    source.qmp.call("migrate", &uri)?;
    let status = wait_until_done(&mut source.qmp)?;
    let cpu = cpu_of(&source) + cpu_of(&target) - cpu_before;
    let total = status["total-time"].as_f64().unwrap_or_default() / MS;
    Ok(Measured {
        total,
        copy: total,
        downtime: status["downtime"].as_f64().map(|ms| ms / MS),
        pages,
        bytes: status["ram"]["transferred"].as_u64().unwrap_or_default(),
        cpu: Some(cpu),
        traffic: traffic(sent_before, network.sent()?),
        ..Measured::default()
    })
}

/// A file with the content of a guest's memory.
fn memory_file(dir: &Path, pages: u64) -> Result<PathBuf, Error> {
    let path = dir.join("memory");
    let mut memory = PlainMemory::create(pages)?;
    fill::write_random(memory.bytes_mut(), 1);
    let written = File::create(&path).and_then(|mut file| file.write_all(memory.bytes_mut()));
    written.map_err(|cause| Error::io(format!("write {}", path.display()), cause))?;
    Ok(path)
}

fn start(dir: &Path, name: &str, size: u64, memory: &str, incoming: bool) -> Result<Vm, Error> {
    let socket = dir.join(name);
    let mut qemu = Command::new(PROGRAM);
    qemu.args([
        "-machine",
        "q35,memory-backend=mem",
        "-accel",
        "tcg",
        "-S",
        "-nodefaults",
        "-display",
        "none",
    ]);
    qemu.args(["-m", &format!("{size}b"), "-object", memory]);
    qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
    if incoming {
        qemu.args(["-incoming", "defer"]);
    }
    qemu.stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = spawn(&mut qemu)?;
    match Qmp::connect(&socket) {
        Ok(qmp) => Ok(Vm { process, qmp }),
        Err(e) => {
            let _ = process.kill();
            let _ = process.wait();
            Err(e)
        }
    }
}

fn configure(qmp: &mut Qmp, channels: Option<u8>) -> Result<(), Error> {
    let mut parameters = json!({ "max-bandwidth": NO_LIMIT });
    if let Some(channels) = channels {
        let multifd = json!({ "capabilities": [{ "capability": "multifd", "state": true }] });
        qmp.call("migrate-set-capabilities", &multifd)?;
        parameters["multifd-channels"] = json!(channels);
    }
    qmp.call("migrate-set-parameters", &parameters).map(drop)
}

/// A port that is free just now.
fn free_port(address: &str) -> Result<u16, Error> {
    let port = TcpListener::bind((address, 0)).and_then(|listener| listener.local_addr());
    Ok(port.map_err(|cause| Error::io("find a free port", cause))?.port())
}

fn wait_until_done(qmp: &mut Qmp) -> Result<Value, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = qmp.call("query-migrate", &json!({}))?;
        match status["status"].as_str().unwrap_or_default() {
            // It says so a moment before it knows how long it took.
            "completed" if status["total-time"].as_u64() > Some(0) => return Ok(status),
            "failed" | "cancelled" => {
                let said = status["error-desc"].as_str().unwrap_or("no reason").to_owned();
                return Err(Error::Command { command: "QEMU's migration".into(), said });
            }
            _ if Instant::now() > deadline => {
                return Err(Error::Refused("QEMU's migration takes too long".into()));
            }
            _ => thread::sleep(LOOK),
        }
    }
}

fn cpu_of(vm: &Vm) -> f64 {
    cpu_seconds_of(vm.process.id())
}
