//! `xc-image`: saved domains looked at without a hypervisor.

mod args;
mod error;
mod extract;
mod json;
mod report;
mod source;

use std::io::{self, Write};
use std::process::ExitCode;

use stream::image::{RecordLine, Summary};
use stream::libxc::Limits;
use stream::{Error as StreamError, Input};

use xc_save::console::chain;

pub use args::Args;
use args::{Command, Read};
use error::Error;

/// Runs the command: data to standard output, an error to standard error.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match &args.command {
        Command::Inspect(read) => inspect(read, &mut out),
        Command::Verify { read, verbose } => verify(read, *verbose, &mut out),
        Command::Extract(extract) => extract::run(extract, &mut out),
    };
    match done.and_then(|()| out.flush().map_err(Error::Print)) {
        Ok(()) => ExitCode::SUCCESS,
        // `xc-image inspect FILE | head`: the reader has seen enough.
        Err(Error::Print(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone, the exit code still tells.
            let _ = writeln!(io::stderr(), "xc-image: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Shows what is in the file, up to its end or the first error.
fn inspect(read: &Read, out: &mut dyn Write) -> Result<(), Error> {
    let input = Input::new(source::open(&read.file)?);
    let mut summary = Summary::read(input, Limits::default());
    let error = summary.error.take();
    match read.json {
        true => json::summary(&summary, error.as_ref(), out),
        false => report::summary(&summary, out),
    }
    .map_err(Error::Print)?;
    result(read, error)
}

/// Checks all that the specification demands; silent but for the verdict, unless asked for the records.
fn verify(read: &Read, verbose: bool, out: &mut dyn Write) -> Result<(), Error> {
    let input = Input::strict(source::open(&read.file)?);
    let mut printed = Ok(());
    let mut print = |line: &RecordLine| {
        if verbose && !read.json && printed.is_ok() {
            printed = report::record(line, out);
        }
    };
    let mut summary = Summary::read_with(input, Limits::default(), &mut print);
    printed.map_err(Error::Print)?;

    let error = summary.error.take();
    match (read.json, &error) {
        (true, error) => json::summary(&summary, error.as_ref(), out),
        (false, None) => report::verdict(&summary, out),
        (false, Some(_)) => Ok(()),
    }
    .map_err(Error::Print)?;
    result(read, error)
}

fn result(read: &Read, error: Option<StreamError>) -> Result<(), Error> {
    match error {
        None => Ok(()),
        Some(source) => Err(Error::Stream { file: source::shown(&read.file).to_owned(), source }),
    }
}
