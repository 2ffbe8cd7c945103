//! What happens to a migration, and when.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tests::{Running, World};

use crate::random::Random;

/// A little more than the 64 MiB guest sends in all.
const SOME_BYTES: u64 = 100 << 20;
/// How long the words of a hand-over take, at most.
const HAND_OVER: Duration = Duration::from_millis(20);
/// Nobody waits longer for a hand-over to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which of the two commands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    /// `xc-save`.
    Save,
    /// `xc-restore`.
    Restore,
}

/// What happens to a migration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// A side is killed this long after the start.
    Kill(Side, Duration),
    /// A side is killed this long after the guest was given away.
    KillInHandOver(Side, Duration),
    /// The link is cut after this many bytes.
    Cut(u64),
}

impl Trouble {
    /// Any trouble at a random moment of a migration that usually takes this long.
    pub(crate) fn draw(random: &mut Random, usual: Duration) -> Self {
        let side = *random.of(&[Side::Save, Side::Restore]);
        let mut moment = |of: Duration| {
            Duration::from_micros(random.below(u64::try_from(of.as_micros()).unwrap_or(u64::MAX).max(1)))
        };
        let (within, in_hand_over) = (moment(usual), moment(HAND_OVER));
        match random.below(3) {
            0 => Self::Kill(side, within),
            1 => Self::KillInHandOver(side, in_hand_over),
            _ => Self::Cut(random.below(SOME_BYTES)),
        }
    }

    /// Waits for the moment and kills. (The link cuts itself.)
    pub(crate) fn strike(&self, source: &World, save: &Running, restore: &Running) {
        let (side, wait) = match *self {
            Self::None | Self::Cut(_) => return,
            Self::Kill(side, wait) => (side, wait),
            Self::KillInHandOver(side, wait) => {
                await_hand_over(source, save);
                (side, wait)
            }
        };
        thread::sleep(wait);
        match side {
            Side::Save => save.signal("KILL"),
            Side::Restore => restore.signal("KILL"),
        }
    }
}

/// Returns as soon as the guest was given away, without asking it anything.
fn await_hand_over(source: &World, save: &Running) {
    let deadline = Instant::now() + PATIENCE;
    let given_away = source.path("guests").join("web--migratedaway.sock");
    let lives = |pid: u32| fs::exists(format!("/proc/{pid}/exe")).unwrap_or(false);
    while !fs::exists(&given_away).unwrap_or(false) && lives(save.pid()) && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(100));
    }
}
