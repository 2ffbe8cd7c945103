//! All that the commands print: people's lines on standard error, data on standard output.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// A line for people.
pub fn say(line: impl Display) {
    // Nobody reads it any more: the command's work goes on all the same.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A line of data.
pub fn data(line: impl Display) {
    // As above.
    let _ = writeln!(io::stdout(), "{line}");
}

/// An error with its causes, each said once: `cannot send round 3: link closed: Broken pipe (os error 32)`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Step(&'static str, #[source] Option<Box<Step>>);

    #[test]
    fn each_cause_is_said_once() {
        let inner = Box::new(Step("Broken pipe", None));
        let middle = Box::new(Step("link closed: Broken pipe", Some(inner)));
        assert_eq!(chain(&Step("cannot send", Some(middle))), "cannot send: link closed: Broken pipe");
    }
}
