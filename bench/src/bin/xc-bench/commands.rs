//! What each command does.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use bench::plan::Plan;
use bench::run::{self, Run};
use bench::{Error, bed, compare, report, world};

use crate::args::{Command, CopierEnd};
use crate::{Outcome, link, output};

pub(crate) fn run(command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Run { plan, out, repeat } => run_plan(&plan, out, repeat)?,
        Command::Peers { out, repeat } => run_peers(out, repeat)?,
        Command::Report { run } => draw(&run)?,
        Command::Compare { base, new, bound } => return compare_runs(&base, &new, bound),
        Command::Link(args) => link::run(&args)?,
        Command::Copier { memory, end } => copy(memory, end)?,
    }
    Ok(Outcome::Done)
}

fn run_plan(name: &str, out: Option<PathBuf>, repeat: Option<u32>) -> Result<(), Error> {
    let (mut plan, text) = Plan::load(name)?;
    bed::enter()?;
    if let Some(turns) = repeat {
        plan = plan.repeated(turns);
    }
    let dir = out.unwrap_or_else(|| Path::new("runs").join(&plan.name));
    for warning in warnings(&plan)? {
        output::say(format_args!("warning: {warning}"));
    }
    run::run(&plan, &text, &dir, output::progress)?;
    output::say(format_args!(
        "the rows are in {}; draw them with: xc-bench report {}",
        dir.display(),
        dir.display()
    ));
    Ok(())
}

fn warnings(plan: &Plan) -> Result<Vec<String>, Error> {
    let links: Result<Vec<_>, _> = plan.cells()?.iter().map(|cell| cell.link()).collect();
    let mut warnings: Vec<_> = links?.iter().filter_map(|link| link.warning()).collect();
    warnings.sort();
    warnings.dedup();
    Ok(warnings)
}

fn run_peers(out: Option<PathBuf>, repeat: Option<u32>) -> Result<(), Error> {
    /// Debian's package of the peer.
    const PACKAGE: &str = "qemu-system-x86";
    if Process::new("qemu-system-x86_64").arg("--version").output().is_err() {
        output::say(format_args!("installing {PACKAGE} by apt (qemu-system-x86_64 is missing)"));
        let status =
            Process::new("apt-get").args(["install", "--yes", "--no-install-recommends", PACKAGE]).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(Error::Refused(format!("apt cannot install {PACKAGE}; please install it by hand")));
        }
    }
    let dir = out.unwrap_or_else(|| Path::new("runs").join("peers"));
    run_plan("peers", Some(dir.clone()), repeat)?;
    draw(&dir)
}

fn draw(dir: &Path) -> Result<(), Error> {
    let page = report::draw(&Run::read(dir)?)?;
    output::say(format_args!("{}", page.display()));
    Ok(())
}

fn compare_runs(base: &Path, new: &Path, bound: f64) -> Result<Outcome, Error> {
    let (base, new) = (Run::read(base)?, Run::read(new)?);
    for difference in base.machine.differences(&new.machine) {
        output::say(format_args!("warning: the machines differ: {difference}"));
    }
    let comparison = compare::compare(&base, &new, bound);
    output::data(comparison.table());
    Ok(if comparison.is_regression() { Outcome::Regression } else { Outcome::Done })
}

fn copy(pages: u64, end: CopierEnd) -> Result<(), Error> {
    match end {
        CopierEnd::Receive { address, temperature } => {
            world::receive(pages, temperature, &address, output::data)
        }
        CopierEnd::Send { address } => {
            let seconds = world::send(pages, &address)?;
            output::data(seconds);
            Ok(())
        }
    }
}
