//! Stop policies: when to leave the pre-copy.

mod classic;
mod fni;
mod psc;
#[cfg(test)]
mod rig;
mod xen;

pub use classic::Classic;
pub use fni::Fni;
pub use psc::Psc;
pub use xen::Xen;

use crate::{Facts, Spec, SpecError};

/// What a stop policy wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another round.
    Continue,
    /// Suspend the guest and send the rest; why.
    StopAndCopy(String),
    /// Give the migration up, the guest stays on the source; why.
    Abort(String),
}

/// A rule that decides after each round, and once before the first.
pub trait StopPolicy: Send {
    /// The name by which it is chosen.
    fn name(&self) -> &'static str;

    /// What to do now.
    fn decide(&mut self, facts: &Facts<'_>) -> Decision;
}

/// The names that [`by_name`] knows, with their parameters.
pub const NAMES: [&str; 4] = ["classic", "fni:n=N", "psc", "xen"];

/// Makes the policy that `text` (`NAME[:key=value,...]`) names.
///
/// # Errors
/// A [`SpecError`] that lists what exists and what was expected.
pub fn by_name(text: &str) -> Result<Box<dyn StopPolicy>, SpecError> {
    let mut spec: Spec = text.parse()?;
    match spec.name.as_str() {
        "classic" => spec.finish("none").map(|()| Box::new(Classic) as _),
        "fni" => {
            let rounds = spec
                .take("n", "a whole number", |v| v.parse().ok())?
                .ok_or_else(|| SpecError::MissingKey { name: spec.name.clone(), key: "n" })?;
            spec.finish("n").map(|()| Box::new(Fni { rounds }) as _)
        }
        "psc" => spec.finish("none").map(|()| Box::new(Psc) as _),
        "xen" => spec.finish("none").map(|()| Box::new(Xen) as _),
        _ => Err(SpecError::UnknownName { what: "stop", name: spec.name, known: NAMES.join(", ") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_mistakes() {
        for (text, name) in [("xen", "xen"), ("classic", "classic"), ("psc", "psc"), ("fni:n=3", "fni")] {
            assert_eq!(by_name(text).map(|p| p.name()).unwrap(), name);
        }
        let mistake = |text| by_name(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(mistake("itd"), "unknown stop policy 'itd'; there are: classic, fni:n=N, psc, xen");
        assert_eq!(mistake("xen:n=1"), "policy 'xen' has no parameter 'n'; it takes: none");
        assert_eq!(mistake("fni"), "policy 'fni' needs n=");
        assert_eq!(mistake("fni:n=-1"), "policy 'fni': n=-1 is not a whole number");
    }
}
