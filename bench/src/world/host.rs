//! Our own: a guest process, moved by `xc-save` and `xc-restore`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use ffi::host::protocol::Request;
use ffi::host::{GuestConfig, Host, HostError};
use ffi::link::Sent;
use serde_json::Value;
use tempfile::TempDir;

use super::Temperature;
use super::draw::draw;
use crate::Error;
use crate::bed::Network;
use crate::plan::Cell;
use crate::run::{Measured, RoundRow, children_seconds};

/// The guest before and after its journey.
const HERE: &str = "bench";
const THERE: &str = "bench-moved";
/// The guest runs for this long before it is moved, so that its dirty rate is the one that was set.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);
/// How long a guest that arrived may take until its first tick.
const FIRST_TICK: Duration = Duration::from_secs(2);
/// How long the last connection to a guest may take to be noticed as closed.
const LET_GO: Duration = Duration::from_secs(5);
/// How often something is looked at that will happen soon.
const LOOK: Duration = Duration::from_millis(2);

/// The host world of this test-bed.
#[must_use]
pub fn guest_host() -> Host {
    Host::from_env()
}

/// A guest of the harness; it ends with this value.
#[derive(Debug)]
pub struct Guest(Host, &'static str);

impl Guest {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.1
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let deadline = Instant::now() + LET_GO;
        // Busy until it has noticed that whoever moved it let go.
        while let Err(HostError::Refused { .. }) = self.0.order(self.1, &Request::Stop) {
            if Instant::now() > deadline {
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// Starts the guest of a cell, filled with random pages, and lets it run for a moment.
///
/// # Errors
/// When there is no memory for it.
pub fn start_guest(cell: &Cell) -> Result<Guest, Error> {
    start_guest_and(cell, || ())
}

/// The same; `meanwhile` is done in that moment.
fn start_guest_and(cell: &Cell, meanwhile: impl FnOnce()) -> Result<Guest, Error> {
    let host = guest_host();
    host.run(&config_of(cell)?, false)?;
    let over = Instant::now() + WARM_UP;
    let guest = Guest(host, HERE);
    meanwhile();
    thread::sleep(over.saturating_duration_since(Instant::now()));
    Ok(guest)
}

fn config_of(cell: &Cell) -> Result<GuestConfig, Error> {
    Ok(GuestConfig {
        name: HERE.into(),
        pages: cell.pages()?,
        vcpus: 1,
        workload: cell.workload.clone(),
        fill: "random".into(),
        seed: 1,
    })
}

/// The configuration by which an `xc-restore` knows the guest, and takes its memory, before it listens.
fn beforehand(cell: &Cell, temperature: Temperature, dir: &Path) -> Result<Option<PathBuf>, Error> {
    if temperature == Temperature::Cold {
        return Ok(None);
    }
    let file = dir.join("config");
    let text = serde_json::to_vec(&config_of(cell)?)
        .map_err(|source| Error::Json { what: "a guest's configuration".into(), source })?;
    fs::write(&file, text).map_err(|cause| Error::io(format!("write {}", file.display()), cause))?;
    Ok(Some(file))
}

pub(super) fn measure(
    cell: &Cell,
    temperature: Temperature,
    connections: u8,
    network: &Network,
) -> Result<Measured, Error> {
    let files = TempDir::new_in("/run").map_err(|cause| Error::io("make a directory in /run", cause))?;
    let config = beforehand(cell, temperature, files.path())?;
    let sent_before = network.sent()?;
    // Before the guest: the models know how long that runs until it is moved, and to take memory takes a while.
    let (receiver, port) = Receiver::start(network, config.as_deref())?;
    // Held until the source has its memory: it is for the target.
    let drawn = draw(cell.pages()?, temperature)?;
    let _source = start_guest_and(cell, || drop(drawn))?;
    let stats = files.path().join("save");
    let cpu_before = children_seconds();
    save(cell, connections, network, port, &stats)?;
    let _target = Guest(guest_host(), THERE);
    receiver.finish()?;
    let cpu = children_seconds() - cpu_before;
    let gap = first_gap()?;
    let traffic = traffic(sent_before, network.sent()?);
    let measured = measured(&read_json(&stats)?, gap, cpu, traffic)?;
    Ok(Measured { stood: gap.map(|gap| gap.or_as_long_as(measured.downtime)), ..measured })
}

/// A running `xc-restore`, killed if it is not waited for.
struct Receiver {
    process: Child,
    said: BufReader<ChildStderr>,
}

impl Receiver {
    /// Starts it in the target's namespace; returns when it listens, with its port.
    fn start(network: &Network, config: Option<&Path>) -> Result<(Self, u16), Error> {
        let mut restore = command("xc-restore");
        restore.args(config).arg(format!("tcp://{}:0", network.address));
        restore.args(["--as", &format!("host:{THERE}"), "--progress", "none"]);
        restore.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = network.target.inside(|| spawn(&mut restore))?;
        let stderr =
            process.stderr.take().ok_or_else(|| Error::Refused("xc-restore has no standard error".into()))?;
        let mut receiver = Self { process, said: BufReader::new(stderr) };
        let mut line = String::new();
        let read =
            receiver.said.read_line(&mut line).map_err(|cause| Error::io("read from xc-restore", cause))?;
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        match port {
            Some(port) if read > 0 => Ok((receiver, port)),
            _ => Err(Error::Command { command: "xc-restore".into(), said: line.trim().to_owned() }),
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        let mut said = String::new();
        // What it said before the pipe broke still counts.
        let _ = self.said.read_to_string(&mut said);
        let status = self.process.wait().map_err(|cause| Error::io("wait for xc-restore", cause))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Command { command: "xc-restore".into(), said: said.trim().replace('\n', "; ") })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // After `finish` there is nothing left to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn save(cell: &Cell, connections: u8, network: &Network, port: u16, stats: &Path) -> Result<(), Error> {
    let mut save = command("xc-save");
    save.args([
        "--live",
        "--stop",
        &cell.stop,
        "--bandwidth",
        &cell.bandwidth,
        "--map",
        &cell.map,
        "--connections",
        &connections.to_string(),
        "--progress",
        "none",
        "--stats",
    ]);
    save.arg(stats);
    if let Some(rate) = cell.link()?.rate() {
        // The interface knows nothing of the shaper.
        save.args(["--link-rate", &rate.to_string()]);
    }
    save.arg(format!("host:{HERE}")).arg(format!("tcp://{}:{port}", network.address));
    save.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let process = network.source.inside(|| spawn(&mut save))?;
    let output = process.wait_with_output().map_err(|cause| Error::io("wait for xc-save", cause))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(Error::Command { command: "xc-save".into(), said })
}

/// One of our own programs: beside this one, else in `PATH`.
pub(super) fn command(name: &str) -> Command {
    let beside = env::current_exe().ok().map(|own| own.with_file_name(name)).filter(|path| path.exists());
    Command::new(beside.unwrap_or_else(|| PathBuf::from(name)))
}

pub(super) fn spawn(command: &mut Command) -> Result<Child, Error> {
    let doing = format!("start {}", command.get_program().to_string_lossy());
    command.spawn().map_err(|cause| Error::io(doing, cause))
}

/// For how long a guest stood still by its own word, and until when.
#[derive(Clone, Copy, Debug)]
struct Gap {
    length: Duration,
    /// `CLOCK_MONOTONIC`.
    end: Duration,
}

impl Gap {
    /// From its start until both the guest and the tool, which says so many seconds, have it running.
    fn or_as_long_as(self, downtime: Option<f64>) -> Range<Duration> {
        let start = self.end.saturating_sub(self.length);
        let by_the_tool = downtime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        start..start + by_the_tool.unwrap_or_default().max(self.length)
    }
}

/// The guest's own figure for the time that it stood still; known from its first tick on.
fn first_gap() -> Result<Option<Gap>, Error> {
    let deadline = Instant::now() + FIRST_TICK;
    loop {
        let info = guest_host().info(THERE)?;
        let [length, end] =
            [info.last_migration_gap_ns, info.last_migration_end_ns].map(|ns| ns.map(Duration::from_nanos));
        let gap = length.zip(end).map(|(length, end)| Gap { length, end });
        if gap.is_some() || Instant::now() > deadline {
            return Ok(gap);
        }
        thread::sleep(LOOK);
    }
}

pub(super) fn traffic(before: Sent, after: Sent) -> Sent {
    let (bytes, frames) = (after.bytes - before.bytes, after.frames - before.frames);
    Sent { bytes, frames }
}

fn read_json(path: &Path) -> Result<Value, Error> {
    let text = fs::read(path).map_err(|cause| Error::io(format!("read {}", path.display()), cause))?;
    serde_json::from_slice(&text)
        .map_err(|source| Error::Json { what: "the statistics of xc-save".into(), source })
}

/// A row from `xc-save --stats`.
fn measured(stats: &Value, gap: Option<Gap>, cpu: f64, traffic: Sent) -> Result<Measured, Error> {
    let save = &stats["save"];
    let broken = |source| Error::Json { what: "the statistics of xc-save".into(), source };
    let rounds: Vec<RoundRow> = serde_json::from_value(save["rounds"].clone()).map_err(broken)?;
    let between = |from: &str, to: &str| {
        let moment = |name| save["downtime"][name].as_f64();
        Some(moment(to)? - moment(from)?)
    };
    Ok(Measured {
        total: stats["running"].as_f64().or_else(|| save["total"].as_f64()).unwrap_or_default(),
        copy: save["total"].as_f64().unwrap_or_default(),
        drain: between("decided", "asked"),
        downtime: stats["downtime"].as_f64(),
        gap: gap.map(|gap| gap.length.as_secs_f64()),
        last_copy: between("suspended", "last_page"),
        pages: save["pages"].as_u64().unwrap_or_default(),
        last_pages: save["last_pages"].as_u64(),
        bytes: save["bytes"].as_u64().unwrap_or_default(),
        cpu: Some(cpu),
        stop_reason: save["stop_reason"].as_str().unwrap_or_default().to_owned(),
        traffic,
        rounds,
        ..Measured::default()
    })
}
