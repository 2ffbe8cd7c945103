//! What `xl list` says.

use std::fmt;

use super::Error;

/// Columns behind the name: id, memory, vCPUs, state, time.
const COLUMNS: usize = 5;

/// A line of `xl list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// What it does.
    pub state: State,
}

/// What a domain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs, or waits for something to do.
    Runs,
    /// An administrator paused it.
    Paused,
    /// It asked to be suspended, or shut down, and has stopped.
    Suspended,
    /// It crashed, or is being destroyed.
    Ended,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runs => "runs",
            Self::Paused => "is paused",
            Self::Suspended => "is suspended",
            Self::Ended => "has crashed or ended",
        })
    }
}

impl Domain {
    /// Whether a user means this one: by its id if it is a number, as xl has it, else by its name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        name.parse().map_or(self.name == name, |id: u32| self.id == id)
    }
}

/// Every line but the heading.
pub(super) fn parse(text: &str) -> Result<Vec<Domain>, Error> {
    text.lines().skip(1).map(|line| domain(line).ok_or_else(|| Error::List(line.to_owned()))).collect()
}

fn domain(line: &str) -> Option<Domain> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, columns) = words.split_at_checked(words.len().checked_sub(COLUMNS)?)?;
    let &[id, _, _, state, _] = columns else { return None };
    Some(Domain { name: name.join(" "), id: id.parse().ok()?, state: read(state) })
}

/// One letter each for running, blocked, paused, shut down, crashed and dying, or a hyphen.
fn read(letters: &str) -> State {
    let has = |letter| letters.contains(letter);
    match () {
        () if has('c') || has('d') => State::Ended,
        () if has('s') => State::Suspended,
        () if has('p') => State::Paused,
        () => State::Runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As xl of Xen 4.17 prints it.
    const LIST: &str = "\
Name                                        ID   Mem VCPUs	State	Time(s)
Domain-0                                     0   640     1     r-----      12.8
p1                                           1    32     1     --p---       8.4
web--migratedaway                           12    32     2     ---s--       8.4
x                                          113    32     2     -b----       8.4
";

    #[test]
    fn a_list_is_read() {
        let found = parse(LIST).unwrap();
        let line = |name: &str, id, state| Domain { name: name.into(), id, state };
        assert_eq!(
            found,
            [
                line("Domain-0", 0, State::Runs),
                line("p1", 1, State::Paused),
                line("web--migratedaway", 12, State::Suspended),
                line("x", 113, State::Runs),
            ]
        );
        assert!(found[1].is("p1") && found[1].is("1"));
        assert!(!found[3].is("1") && !found[3].is("p1"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(parse("Name\nx 1 2\n").is_err());
        assert!(parse("Name\nx y 32 1 r----- 1.0\n").is_err());
    }
}
