//! Stock `xl`, run as a program: Xen domains, their devices and device models are libxl's business, and what a
//! configuration file means is `xl`'s alone. Our engine comes in as the save helper that libxl starts.
//!
//! A running `xl` hears no signal from the terminal. What ends it in order is [`Process::hang_up`], which the save
//! helper hears, and the end of its transport.

mod error;
mod list;
mod process;
mod transport;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Output;

pub use error::Error;
pub use list::{Domain, State};
pub use process::{Ends, FRONT, Process};
pub use transport::{DOOR_FD, TRANSPORT, transport};

use process::command;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Xl {
    /// `xl` itself: a path, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// The save helper that libxl shall start.
    pub helper: PathBuf,
    /// Let it speak to standard error itself; else it is heard only when it fails.
    pub loud: bool,
}

impl Xl {
    /// The domain of this name or id; `None` when there is none.
    ///
    /// # Errors
    /// When `xl list` fails.
    pub fn find(&self, name: &str) -> Result<Option<Domain>, Error> {
        Ok(self.list()?.into_iter().find(|domain| domain.is(name)))
    }

    /// Every domain.
    ///
    /// # Errors
    /// When `xl list` fails.
    pub fn list(&self) -> Result<Vec<Domain>, Error> {
        list::parse(&self.ask(["list"])?)
    }

    /// What the hypervisor can do for guests, in words as of `xl info`: `pv`, `hvm`, `hap`, `shadow`...
    ///
    /// # Errors
    /// When `xl info` fails.
    pub fn capabilities(&self) -> Result<Vec<String>, Error> {
        Ok(self.ask(["info", "virt_caps"])?.split_whitespace().map(str::to_owned).collect())
    }

    /// Gives an order and waits until it is carried out: `xl destroy 7`.
    ///
    /// # Errors
    /// When `xl` fails; with what it says.
    pub fn order<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<(), Error> {
        self.ask(args).map(|_| ())
    }

    fn ask<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<String, Error> {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let name = process::name(&args);
        let mut command = command(&self.program, &args);
        let start = |source| Error::Start { program: self.program.clone(), source };
        let Output { status, stdout, stderr } = command.output().map_err(start)?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        Err(Error::Failed { name, status, said: process::last_words(&stderr) })
    }
}
