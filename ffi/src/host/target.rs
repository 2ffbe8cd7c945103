//! A guest process that is being built from a stream.
//!
//! The memory is made here and written by the engine. The guest's process is started at once, so that a missing program,
//! a taken name or an unknown workload shows before memory moves; it maps the same memory but has no state and
//! cannot run. Its only control connection is its birth cord: if this process dies, it exits.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use engine::{BoxError, PageBytes, PageEntry, Pfn, TargetDomain, TargetMemory, libxc};
use libxc::{DomainHeader, DomainKind, Record};

use super::arriving::Arriving;
use super::control::Control;
use super::error::os;
use super::protocol::{Lines, Request};
use super::{GuestConfig, GuestState, Host, HostError, context, names};

/// When the target's name must be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameUse {
    /// Now: nobody will give it up.
    FreeNow,
    /// When the guest starts: its source, on this same host, has it until it is given away.
    FreeAtStart,
}

/// A guest that is being built. Dropped before [`HostTarget::start`], it leaves nothing behind.
#[derive(Debug)]
pub struct HostTarget {
    config: GuestConfig,
    memory: Arriving,
    state: Option<GuestState>,
    guest: Option<Guest>,
    /// The same once it runs: letting it go can wait until the source knows.
    started: Option<Guest>,
}

/// The guest's process and the cord to it.
#[derive(Debug)]
struct Guest {
    process: Child,
    control: Control,
}

impl Host {
    /// Makes an empty guest like `config`, to be called `name`.
    ///
    /// # Errors
    /// When the configuration cannot be, the name is taken, or the guest program does not start.
    pub fn create(
        &self,
        config: GuestConfig,
        name: &str,
        name_use: NameUse,
    ) -> Result<HostTarget, HostError> {
        let config = GuestConfig { name: name.to_owned(), ..config };
        config.check()?;
        if name_use == NameUse::FreeNow && self.is_running(name) {
            return Err(HostError::Taken(name.to_owned()));
        }
        let memory = Arriving::create(config.pages)?;
        let (memory_fd, p2m_fd) = memory.descriptors();
        let mut target = HostTarget { config, memory, state: None, guest: None, started: None };
        let prepare = Request::Prepare {
            config: target.config.clone(),
            pid: std::process::id(),
            memory: memory_fd,
            p2m: p2m_fd,
        };
        let (process, cord) = self.spawn()?;
        // Into the target first: on an error its drop ends the process.
        let control = Control::new(&names::incoming(name), cord)?;
        target.guest.insert(Guest { process, control }).control.order(&prepare)?;
        Ok(target)
    }

    /// Makes a new guest, waits until its memory is filled, and lets it run (unless `paused`).
    ///
    /// # Errors
    /// When the configuration cannot be, the name is taken, or the guest program does not start; then nothing of
    /// it is left.
    pub fn run(&self, config: &GuestConfig, paused: bool) -> Result<(), HostError> {
        config.check()?;
        if self.is_running(&config.name) {
            return Err(HostError::Taken(config.name.clone()));
        }
        let (process, cord) = self.spawn()?;
        let mut guest = Guest { process, control: Control::patient(&names::incoming(&config.name), cord) };
        let created = guest.control.order(&Request::Create { config: config.clone() });
        match created.and_then(|()| guest.control.order(&Request::Start { paused })) {
            Ok(()) => guest.let_go(),
            Err(e) => {
                guest.end();
                return Err(e);
            }
        }
        Ok(())
    }

    /// Starts a guest process that waits for what it shall be, and the cord to it.
    fn spawn(&self) -> Result<(Child, Lines), HostError> {
        let doing = || format!("start {}", self.program().display());
        let (ours, theirs) = UnixStream::pair().map_err(os("make a socket pair"))?;
        let process = Command::new(self.program())
            .arg("adopt")
            .env("XC_HOST_DIR", self.dir())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(os(doing()))?;
        Ok((process, Lines::new(ours)))
    }
}

impl Guest {
    /// It lives on by itself. Nobody else can reap it while this process lives.
    fn let_go(mut self) {
        std::thread::spawn(move || self.process.wait());
    }

    /// Ends it. Asked politely it takes its socket away; killed, it leaves one that the next `list` sweeps.
    fn end(mut self) {
        let _ = self.control.order(&Request::Destroy);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl HostTarget {
    /// The guest's configuration, under the name it shall have.
    #[must_use]
    pub fn config(&self) -> &GuestConfig {
        &self.config
    }

    /// Takes the guest's memory now, so that its stream need not wait for it: that is half the work of a restore. What the
    /// guest turns out not to have is given back when it is complete.
    ///
    /// # Errors
    /// [`HostError::Os`] when there is not so much.
    pub fn reserve(&mut self) -> Result<(), HostError> {
        self.memory.reserve()
    }

    /// Lets a completed guest go: it takes its name, runs (unless `paused`), and lives on without this process.
    ///
    /// Its memory stays mapped here until this is dropped, which takes a while, and can wait until the source was
    /// told that the guest runs.
    ///
    /// # Errors
    /// When the guest is not complete or the name is taken; then nothing of it is left.
    pub fn start(&mut self, paused: bool) -> Result<(), HostError> {
        let mut guest = self.guest.take().ok_or_else(|| HostError::Disconnected(self.config.name.clone()))?;
        if let Err(e) = guest.control.order(&Request::Start { paused }) {
            self.guest = Some(guest);
            self.discard();
            return Err(e);
        }
        self.started = Some(guest);
        Ok(())
    }

    /// The state in an HVM context, if it fits this guest.
    fn load_context(&mut self, blob: &[u8]) -> Result<(), HostError> {
        let state = context::decode(blob)?;
        state.check(&self.config)?;
        self.state = Some(state);
        Ok(())
    }
}

impl TargetMemory for HostTarget {
    fn populate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.memory.populate(pfns)
    }

    fn depopulate(&mut self, pfns: &[Pfn]) -> Result<(), BoxError> {
        self.memory.depopulate(pfns)
    }

    fn write(&mut self, pages: &[PageEntry], data: &mut dyn Read) -> Result<(), BoxError> {
        self.memory.write(pages, data)
    }

    fn read(&mut self, page: PageEntry, out: &mut PageBytes) -> Result<(), BoxError> {
        self.memory.read(page, out)
    }
}

impl TargetDomain for HostTarget {
    fn begin(&mut self, header: &DomainHeader) -> Result<(), BoxError> {
        match header.kind {
            DomainKind::Hvm => Ok(()),
            DomainKind::Pv => Err(HostError::Unfit("the stream of a PV guest".into()).into()),
        }
    }

    fn pfn_limit(&self) -> u64 {
        self.config.pages
    }

    fn lane(&mut self) -> Result<Box<dyn TargetMemory + Send>, BoxError> {
        Ok(Box::new(self.memory.clone()))
    }

    fn record(&mut self, record: Record) -> Result<(), BoxError> {
        match record {
            Record::HvmContext(blob) => Ok(self.load_context(&blob)?),
            // The guest's clock is in its state; the end of the static data says nothing new.
            Record::TscInfo(_) | Record::StaticDataEnd => Ok(()),
            other => {
                let name = format!("{other:?}");
                let name = name.split(['(', ' ']).next().unwrap_or_default();
                Err(HostError::Unfit(format!("a record {name}")).into())
            }
        }
    }

    fn complete(&mut self) -> Result<(), BoxError> {
        let state =
            self.state.take().ok_or_else(|| HostError::Unfit("a stream without HVM_CONTEXT".into()))?;
        self.memory.complete()?;
        let lost = || HostError::Disconnected(self.config.name.clone());
        let guest = self.guest.as_mut().ok_or_else(lost)?;
        Ok(guest.control.order(&Request::Load { state })?)
    }

    fn discard(&mut self) {
        if let Some(guest) = self.guest.take() {
            guest.end();
        }
    }
}

impl Drop for HostTarget {
    fn drop(&mut self) {
        self.discard();
        if let Some(guest) = self.started.take() {
            guest.let_go();
        }
    }
}
