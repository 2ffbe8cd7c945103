//! How far figures lie apart.

use serde::Serialize;

/// The least, the middle and the most of some figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    /// Of an even number, the upper of the two in the middle.
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` of no figures.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (&least, &most) = (figures.first()?, figures.last()?);
        Some(Self { least, median: figures[figures.len() / 2], most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_some_and_of_none() {
        let spread = Spread::of([4.0, 1.0, 3.0].into_iter());
        assert_eq!(spread, Some(Spread { least: 1.0, median: 3.0, most: 4.0 }));
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}
