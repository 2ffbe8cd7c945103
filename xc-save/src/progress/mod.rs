//! Showing how a save or a restore gets on.

mod bar;
mod json;
mod measure;
mod text;

use std::io::{self, IsTerminal};

use engine::Observer;

use crate::exit::Exit;

pub use json::end as json_end;
pub use measure::Measure;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// One line a round.
    Plain,
    /// JSON lines on standard output.
    Json,
    /// Nothing.
    None,
}

impl Style {
    /// The style of this name.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "plain" => Some(Self::Plain),
            "json" => Some(Self::Json),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether people's figures are shown.
    #[must_use]
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Auto | Self::Plain)
    }

    /// Who shows it; `measure` has seen nothing yet.
    #[must_use]
    pub fn observer(self, measure: Measure) -> Box<dyn Observer + Send> {
        match self {
            Self::Auto if io::stderr().is_terminal() => Box::new(bar::Bar::new(measure)),
            Self::Auto | Self::Plain => Box::new(text::Lines),
            Self::Json => Box::new(json::Lines::new(measure)),
            Self::None => Box::new(()),
        }
    }

    /// The last thing that is shown: how the command ends, and where the guest is.
    pub fn end(self, exit: Exit, place: &str) {
        if self == Self::Json {
            json_end(exit, place);
        }
    }
}
