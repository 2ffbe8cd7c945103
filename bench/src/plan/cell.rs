//! One migration of a plan.

use std::fmt;

use policy::{Spec, bandwidth, stop};
use serde::{Deserialize, Serialize};

use crate::bed::LinkSpec;
use crate::world::World;
use crate::{Error, size, workload};

/// One combination of a matrix's axes, as the plan wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// Who moves the memory.
    pub world: String,
    /// The guest's workload.
    pub workload: String,
    /// The guest's memory.
    pub memory: String,
    /// The link.
    pub link: String,
    /// The stop policy.
    pub stop: String,
    /// The bandwidth policy.
    pub bandwidth: String,
    /// How the guest's memory is mapped.
    pub map: String,
}

impl Cell {
    /// The names of the axes, as they are the columns of a run.
    pub const AXES: [&str; 7] = ["world", "workload", "memory", "link", "stop", "bandwidth", "map"];

    /// Whether every axis can be read.
    ///
    /// # Errors
    /// The first one that cannot.
    pub fn check(&self) -> Result<(), Error> {
        self.world.parse::<World>()?;
        self.link()?;
        self.pages()?;
        workload::by_name(&self.workload, 1)?;
        if !["full", "batch"].contains(&self.map.as_str()) {
            let text = self.map.clone();
            return Err(Error::Spec { what: "map", text, expected: "full or batch" });
        }
        if !self.is_ours() && self.workload != "idle" {
            return Err(Error::Refused(format!("{self}: only the host world has a guest that runs")));
        }
        Ok(())
    }

    /// Whether this program can do it: its policies exist. Apart from [`Cell::check`], because a plan may be
    /// drawn by a program that can do less than the one that ran it.
    ///
    /// # Errors
    /// [`Error::Policy`].
    pub fn check_possible(&self) -> Result<(), Error> {
        stop::by_name(&self.stop)?;
        bandwidth::by_name(&self.bandwidth)?;
        Ok(())
    }

    /// The link.
    ///
    /// # Errors
    /// [`Error::Spec`].
    pub fn link(&self) -> Result<LinkSpec, Error> {
        self.link.parse()
    }

    /// The guest's memory, pages.
    ///
    /// # Errors
    /// [`Error::Size`].
    pub fn pages(&self) -> Result<u64, Error> {
        size::parse_pages(&self.memory)
    }

    /// The dirty rate that the workload is set to, pages/s: 0 for an idle guest, nothing if it has no set rate.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let mut spec: Spec = self.workload.parse().ok()?;
        if spec.name == "idle" {
            return Some(0.0);
        }
        spec.take("rate", "a number", |text| text.parse().ok()).ok().flatten()
    }

    /// Whether a guest of ours is moved, by our own programs.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.world.parse(), Ok(World::Host(..)))
    }

    /// The value of an axis.
    #[must_use]
    pub fn axis(&self, name: &str) -> &str {
        match name {
            "world" => &self.world,
            "workload" => &self.workload,
            "memory" => &self.memory,
            "link" => &self.link,
            "stop" => &self.stop,
            "bandwidth" => &self.bandwidth,
            "map" => &self.map,
            _ => "",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Self::AXES.iter().map(|axis| self.axis(axis)).collect();
        write!(f, "{}", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_refused_before_it_runs() {
        let cell = |stop: &str, bandwidth: &str| Cell {
            stop: stop.into(),
            bandwidth: bandwidth.into(),
            ..Cell::default()
        };
        assert!(cell("xen", "unlimited").check_possible().is_ok());
        assert!(cell("itd", "unlimited").check_possible().is_err());
        assert!(cell("xen", "limited").check_possible().is_err());
    }

    #[test]
    fn the_set_rate_is_found() {
        let rate = |workload: &str| Cell { workload: workload.into(), ..Cell::default() }.rate();
        assert_eq!(rate("pagemod:rate=300"), Some(300.0));
        assert_eq!(rate("idle"), Some(0.0));
        assert_eq!(rate("pagemod:rate=max"), None);
        assert_eq!(rate("zipf"), None);
    }
}
