//! Several takings of one figure.

use serde::Serialize;

/// The middle of some values and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle value; of an even number of values the mean of the two in the middle.
    pub(crate) median: f64,
    /// The smallest value.
    pub(crate) least: f64,
    /// The largest value.
    pub(crate) most: f64,
}

impl Spread {
    /// Of these values; nothing when there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[upper]
        } else {
            f64::midpoint(sorted[upper - 1], sorted[upper])
        };
        Some(Self { median, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = |median, least, most| Some(Spread { median, least, most });
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[4.0]), spread(4.0, 4.0, 4.0));
        assert_eq!(Spread::of(&[9.0, 1.0, 4.0]), spread(4.0, 1.0, 9.0));
        // Of four the mean of the two in the middle; one far out does not move it.
        assert_eq!(Spread::of(&[2.0, 1_000.0, 3.0, 1.0]), spread(2.5, 1.0, 1_000.0));
    }
}
