//! Over how many connections the pages of a guest go.

use std::str::FromStr;
use std::thread::available_parallelism;

use stream::lanes::MAX_LANES;

/// What `auto` has where there is more than one processor. On a machine with two of them a third and fourth connection
/// brought nothing (docs/bench.md, Peers).
const AUTO: u32 = 2;

/// A number of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// As many as help; one where the others cannot be had.
    #[default]
    Auto,
    /// These, from 1 to [`MAX_LANES`], or no migration.
    Number(u32),
}

impl Connections {
    /// How many to open.
    #[must_use]
    pub fn count(self) -> u32 {
        match self {
            Self::Auto if available_parallelism().is_ok_and(|processors| processors.get() > 1) => AUTO,
            Self::Auto => 1,
            Self::Number(number) => number,
        }
    }
}

impl FromStr for Connections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text.parse().ok().filter(|number| (1..=MAX_LANES).contains(number));
        number.map(Self::Number).ok_or_else(|| format!("not auto or a number from 1 to {MAX_LANES}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(Connections::Auto));
        assert_eq!("16".parse(), Ok(Connections::Number(16)));
        for wrong in ["0", "17", "", "two", "-1"] {
            assert_eq!(wrong.parse::<Connections>(), Err("not auto or a number from 1 to 16".into()));
        }
    }

    #[test]
    fn auto_has_two_where_there_are_two_processors() {
        let several = available_parallelism().unwrap().get() > 1;
        assert_eq!(Connections::Auto.count(), if several { 2 } else { 1 });
        assert_eq!(Connections::Number(7).count(), 7);
    }
}
