//! A vCPU: a thread that writes pages as its workload says.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Pfn;
use ffi::host::{GuestConfig, GuestMemory, P2m, Registers};

use super::gate::Gate;
use crate::random;
use crate::workload::Workload;

/// How far a vCPU may fall behind its rate and still make up for it; what it missed before that is missed.
const CATCH_UP_NS: u64 = 100_000_000;
/// How many absent pages in a row a vCPU passes over before it leaves a write out: a whole share may be absent.
const MAX_PICKS: u32 = 4096;
/// The kernel may wake a vCPU so late, ns; the default of 50 us is longer than the time between two writes.
const TIMER_SLACK_NS: u64 = 1;

/// One vCPU as the rest of the guest sees it.
#[derive(Debug)]
pub(super) struct Vcpu {
    /// Its registers while it is parked; changes to them are taken over when it runs again.
    registers: Mutex<Registers>,
    /// Its writes, also while it runs.
    writes: AtomicU64,
    /// Its pfns.
    share: Range<u64>,
}

impl Vcpu {
    /// vCPU number `index` of a guest, at its reset state.
    pub(super) fn new(config: &GuestConfig, index: u32, workload: &dyn Workload) -> Self {
        let bound = |i: u32| config.pages * u64::from(i) / u64::from(config.vcpus);
        let rng = random::fork(config.seed, u64::from(index));
        let registers = Registers { rng, due_ns: workload.after(0, 0), ..Registers::default() };
        Self {
            registers: Mutex::new(registers),
            writes: AtomicU64::new(0),
            share: bound(index)..bound(index + 1),
        }
    }

    /// Its registers; only while it is parked are they the ones it has.
    pub(super) fn registers(&self) -> MutexGuard<'_, Registers> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it these registers; it must be parked.
    pub(super) fn load(&self, registers: Registers) {
        *self.registers() = registers;
        self.writes.store(registers.writes, Ordering::Relaxed);
    }

    /// Its writes since birth.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

/// What a vCPU thread works with.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) gate: Arc<Gate>,
    pub(super) memory: Arc<GuestMemory>,
    pub(super) p2m: Arc<P2m>,
    pub(super) workload: Arc<dyn Workload>,
}

impl Board {
    /// Runs a vCPU for as long as the process lives.
    pub(super) fn run(&self, cpu: &Vcpu) {
        // Without it the rate is a little less exact.
        let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NS);
        let mut registers = *cpu.registers();
        loop {
            if self.gate.is_closed() {
                *cpu.registers() = registers;
                self.gate.park();
                registers = *cpu.registers();
            }
            let now = self.gate.running_ns();
            if registers.due_ns > now {
                self.gate.rest_until(registers.due_ns);
                continue;
            }
            self.write(cpu, &mut registers);
            let due = registers.due_ns.max(now.saturating_sub(CATCH_UP_NS));
            registers.due_ns = self.workload.after(due, now);
        }
    }

    /// One write: the first word of a page becomes the number of the write, so a lost write always shows. The
    /// balloon holds the gate while it works, so a page that is present here stays present.
    fn write(&self, cpu: &Vcpu, registers: &mut Registers) {
        let share = cpu.share.end - cpu.share.start;
        for _ in 0..MAX_PICKS {
            let pfn = Pfn(cpu.share.start + self.workload.pick(registers, share));
            if self.p2m.contains(pfn) {
                registers.writes = registers.writes.wrapping_add(1);
                self.memory.words(pfn)[0].store(registers.writes, Ordering::Relaxed);
                cpu.writes.store(registers.writes, Ordering::Relaxed);
                return;
            }
        }
    }
}
