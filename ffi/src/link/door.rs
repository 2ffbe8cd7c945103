//! Where the further connections of a source come in.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use engine::{Abort, Lane};
use stream::Input;
use stream::lanes::{GREETING_LEN, Lanes};

use super::channel::{Channel, Description};
use super::receive::ReceiveLink;
use super::wait::Wait;
use super::{socket, tcp};

/// How long the source may take to open all of them.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// How long who has connected may take to say who it is.
const GREET_WITHIN: Duration = Duration::from_secs(1);

/// The listener of a link, still open. Dropping it closes it.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: TcpListener,
    /// The connection that came in first.
    pub(super) first: OwnedFd,
    pub(super) abort: Abort,
}

impl Door {
    /// Waits for the other `lanes`, in order of their numbers, and closes. Who does not greet as one of them is sent away.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when they did not come, and when the run was aborted.
    pub fn accept(self, lanes: &Lanes) -> io::Result<Vec<Lane<ReceiveLink>>> {
        tcp::stay_small_if_local(self.first.as_fd())?;
        let deadline = Instant::now() + OPEN_WITHIN;
        let wait = Wait { deadline: Some(deadline), ..Wait::new(&self.abort) };
        let mut came = BTreeMap::new();
        while came.len() < (1..lanes.count).len() {
            let channel =
                Channel::new(socket::accept_tcp(&self.listener, &wait)?, Description::Own, &self.abort)?;
            if let Some((number, lane)) = self.greeted(channel, lanes, deadline) {
                came.entry(number).or_insert(lane);
            }
        }
        Ok(came.into_values().collect())
    }

    /// The lane that a connection is, if it says so in time.
    fn greeted(
        &self,
        mut channel: Channel,
        lanes: &Lanes,
        deadline: Instant,
    ) -> Option<(u32, Lane<ReceiveLink>)> {
        let mut greeting = [0; GREETING_LEN];
        channel.wait.deadline = Some(deadline.min(Instant::now() + GREET_WITHIN));
        channel.read_exact(&mut greeting).ok()?;
        let number = lanes.greeted(&greeting)?;
        tcp::stay_small_if_local(channel.as_fd()).ok()?;
        let stop = Abort::new();
        channel.wait = Wait::new(&stop);
        Some((number, Lane { input: Input::new(ReceiveLink::of_lane(channel)), stop }))
    }
}
