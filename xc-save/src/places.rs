//! The last line: where the guest is now, and what to do if that is not where it should be.

use crate::Error;
use crate::domain_name::DomainName;
use crate::hand_over;
use crate::job::{Afterwards, Job};

/// After a failure.
pub(crate) fn after_failure(failure: &Error, job: &Job) -> String {
    let domain = &job.domain;
    let held = domain.held();
    let (resume, end) = (domain.resume(&held), domain.end(&held));
    match failure {
        // A Xen domain that was found is asked for.
        _ if matches!(domain, DomainName::Xen(_)) => format!("nothing was done to {domain}"),
        Error::Attach(_) => format!("nothing was done to {domain}"),
        Error::HandOver(hand_over::Error::Undecided(_)) => format!(
            "{domain} is suspended here as {held}; if it does not run on the target, resume it with {resume}, if it \
             does, end it with {end}"
        ),
        Error::HandOver(hand_over::Error::NotTakenBack(_)) => {
            format!("{domain} is suspended here as {held} and runs nowhere; resume it with {resume}")
        }
        Error::Save(engine::Error::NotUndone { .. }) => {
            format!("{domain} may be suspended; resume it with {}", domain.resume(domain.own()))
        }
        Error::Aftermath(..) => {
            format!("{domain} went to {}; see {} for what is here", job.to, domain.list())
        }
        _ => format!("{domain} runs on here as before"),
    }
}

/// The target runs it.
pub(crate) fn given(job: &Job) -> String {
    let verb = if job.paused_there { "is paused" } else { "runs" };
    let held = match job.afterwards {
        Afterwards::Hold => format!("; its copy is kept here, suspended, as {}", job.domain.held()),
        _ => String::new(),
    };
    format!("{} {verb} on the target {}{held}", job.domain, job.to)
}

/// It is in a file, or went into a pipe.
pub(crate) fn kept(job: &Job, durable: bool) -> String {
    let (domain, to) = (&job.domain, &job.to);
    let held = domain.held();
    match job.afterwards {
        Afterwards::Run => format!("{domain} is saved in {to} and runs on here"),
        Afterwards::Pause => {
            format!(
                "{domain} is saved in {to} and is paused here; let it run with {}",
                domain.resume(domain.own())
            )
        }
        Afterwards::End if durable => format!("{domain} is saved in {to} and runs nowhere now"),
        Afterwards::End | Afterwards::Hold => format!(
            "{domain} went to {to} and is kept here, suspended, as {held}: {} once it is safe there, or {}",
            domain.end(&held),
            domain.resume(&held)
        ),
    }
}
