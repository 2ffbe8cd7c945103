//! Where a stream goes to and comes from: files, pipes and sockets, every wait of which ends when the run is
//! aborted.
//!
//! | spec | sending | receiving | duplex |
//! |---|---|---|---|
//! | `PATH` | a new file that replaces PATH on [`SendLink::commit`]; a pipe or device is written directly | read | no |
//! | `-` | standard output | standard input | no |
//! | `fd:N` | the descriptor | the descriptor | a socket is |
//! | `tcp://HOST:PORT` | connects | listens, accepts one connection | yes |
//! | `unix:PATH` | connects | listens, accepts one connection | yes |
//! | [`open_command`] | standard input of a shell command | [`open_answering`]: standard input | its standard output |
//!
//! Further connections of a source, its lanes, are opened beside a `tcp:` link and come in by its [`Door`].
//!
//! A TCP link is neither authenticated nor encrypted. The socket file of a `unix:` link has mode 0600.

mod channel;
mod command;
mod door;
mod error;
mod forward;
mod gather;
mod inherited;
mod interface;
mod lanes;
mod part_file;
mod probe;
mod receive;
mod send;
mod socket;
mod spec;
mod tcp;
mod wait;

pub use door::Door;
pub use error::{Aborted, Error};
pub use forward::forward;
pub use interface::{Interface, Sent, sent_by};
pub use lanes::new_lanes;
pub use probe::{path_mtu, space_left};
pub use receive::{ReceiveLink, open_answering, open_receive, receive_over};
pub use send::{SendLink, open_command, open_send, send_over};
pub use spec::LinkSpec;
