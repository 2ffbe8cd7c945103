//! Plans: which migrations are measured, how often, and what is drawn from them.
//!
//! A plan is a TOML file with one or more matrices. Every combination of a matrix's axes is a [`Cell`]; axes that are
//! left out have one value. See `bench/plans` for the plans that are shipped.

mod cell;
mod shipped;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use cell::Cell;
pub use shipped::SHIPPED;

use crate::Error;

/// How often a plan measures every cell, if it does not say.
const REPEAT: u32 = 3;

/// A plan.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name, which is also the default name of its runs.
    pub name: String,
    /// What it is for, in a sentence.
    pub title: String,
    /// How often a cell is measured, if its matrix does not say.
    #[serde(default = "repeat")]
    pub repeat: u32,
    /// The round-trip time, microseconds, that the socket buffers of shaped links are made for.
    #[serde(default = "rtt_us")]
    pub rtt_us: u64,
    /// A measurement from which, or from whose downtime, more than this part of the processors' time was stolen (0 to 1: by
    /// whoever runs this virtual machine) is repeated, up to four times; the least disturbed one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<f64>,
    /// The models whose predictions are drawn beside what was measured: `avg`, `hist`.
    #[serde(default)]
    pub predict: Vec<Model>,
    /// What is measured.
    pub matrix: Vec<Matrix>,
}

/// A model of Akoush and others, 2010.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// The dirty rate is constant.
    Avg,
    /// The guest does what it was recorded to do.
    Hist,
}

impl Model {
    /// Its name as the paper has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avg => "AVG",
            Self::Hist => "HIST",
        }
    }
}

/// The axes of a matrix. The links are in the order of `Matrix::cells`'s outermost loop.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// How often its cells are measured, if not as often as the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Who moves the memory: `host`, `ideal-cold`, `ideal-warm`, `qemu`, `qemu-multifd-N`, `qemu-warm`…
    #[serde(default = "host")]
    pub world: Vec<String>,
    /// The guest's memory, `512M`.
    pub memory: Vec<String>,
    /// The guest's workload, as `xc-guest --workload` takes it.
    #[serde(default = "idle")]
    pub workload: Vec<String>,
    /// The link, `loopback` or `10G/9000`.
    #[serde(default = "loopback")]
    pub link: Vec<String>,
    /// The stop policy.
    #[serde(default = "xen")]
    pub stop: Vec<String>,
    /// The bandwidth policy.
    #[serde(default = "unlimited")]
    pub bandwidth: Vec<String>,
    /// How the guest's memory is mapped: `full`, once, or `batch`, a batch at a time.
    #[serde(default = "full")]
    pub map: Vec<String>,
}

fn repeat() -> u32 {
    REPEAT
}

/// A network of a rack.
fn rtt_us() -> u64 {
    1000
}

fn host() -> Vec<String> {
    vec!["host".into()]
}

fn idle() -> Vec<String> {
    vec!["idle".into()]
}

fn loopback() -> Vec<String> {
    vec!["loopback".into()]
}

fn xen() -> Vec<String> {
    vec!["xen".into()]
}

fn unlimited() -> Vec<String> {
    vec!["unlimited".into()]
}

fn full() -> Vec<String> {
    vec!["full".into()]
}

impl Plan {
    /// The plan of a file, or the shipped one of that name.
    ///
    /// # Errors
    /// When there is no such plan, or it cannot be read.
    pub fn load(name: &str) -> Result<(Self, String), Error> {
        let text = match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((_, text)) => (*text).to_owned(),
            None => read_file(name)?,
        };
        Ok((Self::parse(name, &text)?, text))
    }

    /// The plan of a text; `name` is for the error.
    ///
    /// # Errors
    /// [`Error::Plan`], and whatever is wrong with a cell.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let plan: Self =
            toml::from_str(text).map_err(|cause| Error::Plan(name.to_owned(), Box::new(cause)))?;
        if plan.turns()?.is_empty() {
            return Err(Error::Refused(format!("the plan {name} measures nothing")));
        }
        Ok(plan)
    }

    /// Every cell once, in the order of the plan.
    ///
    /// # Errors
    /// [`Error::Spec`] for a word that cannot be read.
    pub fn cells(&self) -> Result<Vec<Cell>, Error> {
        Ok(self.turns()?.into_iter().map(|(cell, _)| cell).collect())
    }

    /// Every cell, in the order of the plan, and how often it is measured; of a cell of two matrices, the higher number
    /// counts. Those that are never measured are left out.
    ///
    /// # Errors
    /// [`Error::Spec`] for a word that cannot be read.
    pub fn turns(&self) -> Result<Vec<(Cell, u32)>, Error> {
        let mut all: Vec<(Cell, u32)> = Vec::new();
        for matrix in &self.matrix {
            let repeat = matrix.repeat.unwrap_or(self.repeat);
            for cell in matrix.cells() {
                cell.check()?;
                match all.iter_mut().find(|(known, _)| *known == cell) {
                    Some((_, turns)) => *turns = repeat.max(*turns),
                    None => all.push((cell, repeat)),
                }
            }
        }
        all.retain(|(_, turns)| *turns > 0);
        Ok(all)
    }

    /// The plan with every cell measured so often.
    #[must_use]
    pub fn repeated(mut self, turns: u32) -> Self {
        self.repeat = turns;
        self.matrix.iter_mut().for_each(|matrix| matrix.repeat = None);
        self
    }
}

fn read_file(name: &str) -> Result<String, Error> {
    if !Path::new(name).exists() {
        let shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
        return Err(Error::Refused(format!(
            "no plan {name}: neither a file, nor one of {}",
            shipped.join(", ")
        )));
    }
    fs::read_to_string(name).map_err(|cause| Error::io(format!("read {name}"), cause))
}

impl Matrix {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::default()];
        let mut axis = |values: &[String], set: fn(&mut Cell) -> &mut String| {
            let with = |cell: &Cell, value: &String| {
                let mut cell = cell.clone();
                set(&mut cell).clone_from(value);
                cell
            };
            cells = cells.iter().flat_map(|cell| values.iter().map(|value| with(cell, value))).collect();
        };
        axis(&self.link, |cell| &mut cell.link);
        axis(&self.memory, |cell| &mut cell.memory);
        axis(&self.workload, |cell| &mut cell.workload);
        axis(&self.stop, |cell| &mut cell.stop);
        axis(&self.bandwidth, |cell| &mut cell.bandwidth);
        axis(&self.map, |cell| &mut cell.map);
        axis(&self.world, |cell| &mut cell.world);
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "name = 'small'\ntitle = 't'\n[[matrix]]\nmemory = ['16M', '32M']\nlink = ['loopback', '1G/1500']\n";

    #[test]
    fn a_matrix_is_every_combination_once() {
        let plan = Plan::parse("small", SMALL).unwrap();
        let turns = plan.turns().unwrap();
        assert_eq!(turns.len(), 4);
        assert!(turns.iter().all(|(_, turns)| *turns == REPEAT));
    }

    #[test]
    fn a_matrix_may_say_how_often() {
        let more = |repeat| format!("{SMALL}[[matrix]]\nmemory = ['16M', '64M']\nrepeat = {repeat}\n");
        let turns = |plan: Plan| plan.turns().unwrap().iter().map(|(_, turns)| *turns).collect::<Vec<_>>();
        let plan = |repeat| Plan::parse("small", &more(repeat)).unwrap();
        // 16 MiB over the loopback is in both.
        assert_eq!(turns(plan(5)), [5, 3, 3, 3, 5]);
        assert_eq!(turns(plan(1)), [3, 3, 3, 3, 1]);
        assert_eq!(turns(plan(0)), [3, 3, 3, 3]);
        assert_eq!(turns(plan(5).repeated(2)), [2; 5]);
    }

    #[test]
    fn every_shipped_plan_is_sound_and_has_its_own_name() {
        for (name, text) in SHIPPED {
            let plan = Plan::parse(name, text).unwrap_or_else(|e| panic!("{}", e.chain()));
            assert_eq!(plan.name, name);
        }
    }

    #[test]
    fn mistakes_say_what_and_where() {
        let mistake = |text: &str| Plan::parse("p", text).unwrap_err().chain();
        assert!(mistake(&SMALL.replace("'16M'", "'16X'")).contains("'16X' is not a size"));
        assert!(mistake(&SMALL.replace("loopback", "wet string")).contains("link 'wet string' is not"));
        assert!(mistake(&format!("{SMALL}colour = ['red']\n")).contains("colour"));
        assert!(mistake(&format!("{SMALL}world = ['mars']\n")).contains("world 'mars' is not"));
        assert!(mistake(&format!("{SMALL}map = ['half']\n")).contains("map 'half' is not"));
        assert!(mistake(&SMALL.replace("['16M', '32M']", "[]")).contains("measures nothing"));
        assert!(mistake(&format!("{SMALL}repeat = 0\n")).contains("measures nothing"));
        assert!(Plan::load("no-such-plan").unwrap_err().to_string().contains("one of quick"));
    }
}
