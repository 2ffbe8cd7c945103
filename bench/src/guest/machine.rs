//! The guest as a whole, and what each request does to it. Who may ask for what is decided in [`super::session`].

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use ffi::host::protocol::{Attachment, GuestHash, GuestInfo, Status};
use ffi::host::{
    GuestConfig, GuestMemory, GuestSocket, GuestState, P2m, TrackerKind, Tracking, names, whereabouts,
};

use super::balloon::Balloon;
use super::gate::{Gate, Hold};
use super::hash;
use super::ticker::Ticker;
use super::time::boot_id;
use super::vcpu::{Board, Vcpu};
use crate::{Error, workload};

/// The time between two steps of the balloon: the vCPUs run most of the time, and requests get their turn.
const BALLOON_PAUSE: Duration = Duration::from_millis(1);
/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// A guest.
#[derive(Debug)]
pub(super) struct Machine {
    config: GuestConfig,
    memory: Arc<GuestMemory>,
    p2m: Arc<P2m>,
    gate: Arc<Gate>,
    cpus: Vec<Arc<Vcpu>>,
    ticker: Arc<Ticker>,
    balloon_thread: OnceLock<Thread>,
    control: Mutex<Control>,
}

/// What requests change, one at a time.
#[derive(Debug)]
pub(super) struct Control {
    /// `None` when the guest has ended.
    socket: Option<GuestSocket>,
    /// The connection that controls the guest.
    pub(super) controller: Option<u64>,
    incoming: Option<Hold>,
    /// Of a guest that was told to start, until [`Control::go`].
    starting: Option<Hold>,
    suspended: Option<(Hold, GuestState)>,
    paused: Option<Hold>,
    parked: Option<Hold>,
    loaded: bool,
    given_away: bool,
    tracking: Option<Tracking>,
    /// The tracking that was switched off while the guest was suspended. To end it takes the processor from a hand-over, and
    /// only a guest that runs again needs that.
    ended_tracking: Option<Tracking>,
    /// Ends the tracking before: of a big guest that takes a while, which nobody should have to wait for.
    untracking: Option<JoinHandle<()>>,
    balloon: Balloon,
    migrations: u32,
    /// Writes and guest time when this incarnation began: its rate counts from here.
    since: (u64, u64),
}

impl Machine {
    /// A guest that is incoming: its threads exist and stand still. `loaded` says whether it is a new one, whose
    /// vCPUs are at their reset state, or one whose state is yet to come.
    pub(super) fn new(
        config: GuestConfig,
        memory: GuestMemory,
        p2m: P2m,
        socket: GuestSocket,
        loaded: bool,
    ) -> Result<Arc<Self>, Error> {
        let (gate, incoming) = Gate::new(config.vcpus + 1);
        let board = Board {
            gate,
            memory: Arc::new(memory),
            p2m: Arc::new(p2m),
            workload: workload::by_name(&config.workload, config.vcpus)?.into(),
        };
        let cpus = (0..config.vcpus).map(|i| Vcpu::new(&config, i, board.workload.as_ref()));
        let cpus: Vec<_> = cpus.map(Arc::new).collect();
        let ticker = Arc::new(Ticker::new());
        start_threads(&board, &cpus, &ticker)?;
        let control = Control {
            socket: Some(socket),
            controller: None,
            incoming: Some(incoming),
            starting: None,
            suspended: None,
            paused: None,
            parked: None,
            loaded,
            given_away: false,
            tracking: None,
            ended_tracking: None,
            untracking: None,
            balloon: Balloon { target: config.pages, rng: config.seed },
            migrations: 0,
            since: (0, 0),
        };
        let Board { gate, memory, p2m, workload: _ } = board;
        let balloon_thread = OnceLock::new();
        let control = Mutex::new(control);
        let machine = Arc::new(Self { config, memory, p2m, gate, cpus, ticker, balloon_thread, control });
        machine.start_balloon()?;
        Ok(machine)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the guest is.
    pub(super) fn info(&self, control: &Control) -> GuestInfo {
        let writes = self.writes();
        let uptime_ns = self.gate.guest_ns();
        let (since_writes, since_ns) = control.since;
        let seconds = uptime_ns.saturating_sub(since_ns) as f64 / SECOND;
        let ticks = *self.ticker.ticks();
        GuestInfo {
            name: control.socket.as_ref().map_or(&*self.config.name, GuestSocket::name).to_owned(),
            pid: std::process::id(),
            status: control.status(),
            pages: self.config.pages,
            populated: self.p2m.len(),
            balloon_target: control.balloon.target,
            vcpus: self.config.vcpus,
            workload: self.config.workload.clone(),
            tracking: control.tracking.as_ref().map(Tracking::kind),
            writes,
            rate: if seconds > 0.0 { writes.saturating_sub(since_writes) as f64 / seconds } else { 0.0 },
            uptime_ns,
            migrations: control.migrations,
            longest_gap_ns: ticks.longest_gap_ns,
            last_migration_gap_ns: ticks.migration_gap_ns,
            last_migration_end_ns: ticks.migration_end_ns,
        }
    }

    /// What a controller needs to read the guest.
    pub(super) fn attachment(&self) -> Attachment {
        let (memory, p2m, address) = whereabouts(&self.memory, &self.p2m);
        Attachment { config: self.config.clone(), memory, p2m, address }
    }

    /// The digest of the memory. The whole guest waits for it, requests too: nothing may change meanwhile.
    pub(super) fn hash(&self, _control: &Control) -> GuestHash {
        let _hold = self.gate.hold();
        hash::digest(&self.memory, &self.p2m)
    }

    /// Sets the balloon's target.
    pub(super) fn set_balloon(&self, control: &mut Control, pages: u64) -> Result<(), Error> {
        let limit = self.config.pages;
        if !(1..=limit).contains(&pages) {
            return Err(Error::Balloon { pages, limit });
        }
        control.balloon.target = pages;
        Ok(())
    }

    /// The user's pause.
    pub(super) fn pause(&self, control: &mut Control) {
        control.paused.get_or_insert_with(|| self.gate.hold());
    }

    /// Writes to the proof page.
    pub(super) fn prove(&self) {
        self.memory.write_proof();
    }

    /// Switches write tracking.
    pub(super) fn track(&self, control: &mut Control, how: Option<TrackerKind>) -> Result<(), Error> {
        control.stop_tracking();
        if let Some(kind) = how {
            control.await_untracked();
            control.tracking = Some(Tracking::start(kind, &self.memory)?);
        }
        Ok(())
    }

    /// Holds the vCPUs for the controller.
    pub(super) fn park(&self, control: &mut Control, on: bool) {
        control.parked = on.then(|| self.gate.hold());
    }

    /// Suspends the guest and takes its state.
    pub(super) fn suspend(&self, control: &mut Control) -> GuestState {
        if let Some((_, state)) = &control.suspended {
            return state.clone();
        }
        let hold = self.gate.hold();
        let parked_at_ns = hold.closed_at_ns();
        let mut ticks = self.ticker.ticks();
        ticks.suspend();
        let state = GuestState {
            vcpus: self.cpus.iter().map(|cpu| *cpu.registers()).collect(),
            clock_ns: self.gate.guest_ns(),
            parked_at_ns,
            boot_id: boot_id(),
            last_tick_ns: ticks.last_ns.unwrap_or(parked_at_ns),
            longest_gap_ns: ticks.longest_gap_ns,
            migrations: control.migrations,
            balloon_target: control.balloon.target,
            balloon_rng: control.balloon.rng,
            ..GuestState::new(&self.config)
        };
        control.suspended = Some((hold, state.clone()));
        state
    }

    /// Gives an incoming guest its state.
    pub(super) fn load(&self, control: &mut Control, state: &GuestState) -> Result<(), Error> {
        state.check(&self.config)?;
        let Some(incoming) = &control.incoming else { return Err(Error::Status(control.status())) };
        incoming.set_guest_ns(state.clock_ns);
        self.cpus.iter().zip(&state.vcpus).for_each(|(cpu, registers)| cpu.load(*registers));
        self.ticker.ticks().load(state);
        control.balloon = Balloon { target: state.balloon_target, rng: state.balloon_rng };
        control.migrations = state.migrations.saturating_add(1);
        control.since = (self.writes(), state.clock_ns);
        control.loaded = true;
        Ok(())
    }

    /// An incoming guest takes its name and is a guest like any other; it runs from [`Control::go`] on.
    pub(super) fn start(&self, control: &mut Control, paused: bool) -> Result<(), Error> {
        if !control.loaded {
            return Err(Error::NotLoaded);
        }
        control.rename(&self.config.name)?;
        let hold = control.incoming.take();
        if paused {
            control.paused = hold;
        } else {
            control.starting = hold;
        }
        Ok(())
    }

    /// A suspended guest is another host's now.
    pub(super) fn give_away(&self, control: &mut Control) -> Result<(), Error> {
        if control.suspended.is_none() {
            return Err(Error::Status(control.status()));
        }
        if !control.given_away {
            control.rename(&names::migrated_away(&self.config.name))?;
            control.given_away = true;
        }
        Ok(())
    }

    /// A guest that was given away is this host's again, and runs.
    pub(super) fn take_back(&self, control: &mut Control) -> Result<(), Error> {
        if !control.given_away {
            return Err(Error::Status(control.status()));
        }
        control.rename(&self.config.name)?;
        control.given_away = false;
        control.unsuspend();
        Ok(())
    }

    /// Whether the guest has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().socket.is_none()
    }

    /// After a request: what the balloon has to do may have changed.
    pub(super) fn wake_balloon(&self) {
        if let Some(thread) = self.balloon_thread.get() {
            thread.unpark();
        }
    }

    fn start_balloon(self: &Arc<Self>) -> Result<(), Error> {
        let machine = self.clone();
        let handle = spawn("balloon", move || machine.run_balloon())?;
        self.balloon_thread.get_or_init(|| handle);
        Ok(())
    }

    /// Moves towards the target while the guest runs, else waits.
    fn run_balloon(&self) {
        loop {
            let moved = {
                let mut control = self.lock();
                let wanted = control.balloon.target != self.p2m.len();
                // A guest that a controller holds must not change, and one that is out of memory tries again later.
                wanted && control.is_running() && {
                    let _hold = self.gate.hold();
                    control.balloon.step(&self.memory, &self.p2m).is_ok()
                }
            };
            match moved {
                true => thread::sleep(BALLOON_PAUSE),
                false => thread::park(),
            }
        }
    }

    fn writes(&self) -> u64 {
        self.cpus.iter().fold(0, |sum, cpu| sum.wrapping_add(cpu.writes()))
    }
}

impl Control {
    /// Whether the guest runs, and if not, why.
    pub(super) fn status(&self) -> Status {
        match self {
            Self { incoming: Some(_), .. } => Status::Incoming,
            Self { given_away: true, .. } => Status::GivenAway,
            Self { suspended: Some(_), .. } => Status::Suspended,
            Self { paused: Some(_), .. } => Status::Paused,
            _ => Status::Running,
        }
    }

    fn is_running(&self) -> bool {
        self.status() == Status::Running && self.parked.is_none()
    }

    /// Lets a started guest run.
    pub(super) fn go(&mut self) {
        self.starting = None;
    }

    /// Ends the user's pause.
    pub(super) fn unpause(&mut self) {
        self.paused = None;
    }

    /// Ends a suspend.
    pub(super) fn unsuspend(&mut self) {
        self.suspended = None;
        self.end_tracking();
    }

    /// The controller is gone: whatever only it can end, ends.
    pub(super) fn release(&mut self) {
        self.controller = None;
        self.parked = None;
        self.stop_tracking();
        if !self.given_away {
            self.unsuspend();
        }
    }

    /// Switches the tracking off.
    fn stop_tracking(&mut self) {
        if self.tracking.is_some() {
            self.await_untracked();
            self.ended_tracking = self.tracking.take();
        }
        if self.suspended.is_none() {
            self.end_tracking();
        }
    }

    /// Ends what was switched off, in a thread of its own.
    fn end_tracking(&mut self) {
        if let Some(tracking) = self.ended_tracking.take() {
            self.untracking = Some(thread::spawn(move || drop(tracking)));
        }
    }

    /// Waits until no tracking before is left on.
    fn await_untracked(&mut self) {
        self.end_tracking();
        if let Some(thread) = self.untracking.take() {
            // A drop that panics has dropped what it was given all the same.
            let _ = thread.join();
        }
    }

    /// The guest ends: it has no name any more.
    pub(super) fn end(&mut self) {
        self.socket = None;
    }

    fn rename(&mut self, name: &str) -> Result<(), Error> {
        match &mut self.socket {
            Some(socket) => Ok(socket.rename(name)?),
            None => Err(Error::NotController),
        }
    }
}

/// Starts vCPUs and ticker behind the closed gate.
fn start_threads(board: &Board, cpus: &[Arc<Vcpu>], ticker: &Arc<Ticker>) -> Result<(), Error> {
    for (i, cpu) in cpus.iter().enumerate() {
        let (board, cpu) = (board.clone(), cpu.clone());
        spawn(&format!("vcpu{i}"), move || board.run(&cpu))?;
    }
    let (gate, ticker) = (board.gate.clone(), ticker.clone());
    spawn("ticker", move || ticker.run(&gate))?;
    // A vCPU may be given its state only once it stands there.
    drop(board.gate.hold());
    Ok(())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<Thread, Error> {
    let handle = thread::Builder::new().name(name.to_owned()).spawn(body);
    Ok(handle.map_err(|source| Error::Os { doing: "start a thread", source })?.thread().clone())
}
