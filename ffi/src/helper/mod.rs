//! The save helper of libxl: what stock `xl save`, `xl restore` and `xl migrate` start to move a domain's memory.
//!
//! libxl starts the program that `LIBXL_SAVE_HELPER` names, hands it the descriptor of the stream, and talks to
//! it over the program's standard input and output. Neither the protocol nor the variable is in a manual page;
//! they have been the same since Xen 4.14.
//!
//! ```text
//!   libxl                                           helper
//!     | -- argv: --save-domain FD ... DOMID ... ---> |     Invocation
//!     | <-- fd 1: notices: log, progress, results -- |     Notice
//!     | <-- fd 1: requests: suspend, ... complete -- |     Request
//!     | --- fd 0: one i32 for each request --------> |     Verdict
//! ```
//!
//! A save of an HVM guest asks `switch_qemu_logdirty` (on), `suspend`, `switch_qemu_logdirty` (off), `complete`;
//! of a PV guest only `suspend` and `complete`. A restore asks `static_data_done`, tells `restore_results`, asks
//! `complete`. [`save`] and [`restore`] hold these dialogues for any world; whatever happens, they put the source
//! back, answer libxl with `complete` and end. Checkpointed streams (Remus, COLO) are the stock helper's:
//! [`exec_stock`].

mod args;
mod channel;
mod error;
mod message;
mod observer;
mod restore;
mod save;
mod session;
mod static_data;
mod stock;
mod toolstack;

pub use args::{Callbacks, Invocation, RestoreArgs, RingPort, SaveArgs, USAGE};
pub use channel::Channel;
pub use error::{Error, chain};
pub use message::{Level, Notice, Request, RestoreResults, Verdict};
pub use restore::{RestoreWorld, restore};
pub use save::{SaveWorld, save};
pub use session::{Session, Statistics, Witness};
pub use stock::{STOCK_HELPER, STOCK_HELPER_VARIABLE, exec_stock};
pub use toolstack::HelperToolstack;
