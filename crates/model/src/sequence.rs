//! Where a message belongs that comes late: the captures of an object as they would be, had it come in order.
//!
//! The rules are those of [`decide`](crate::decide), applied to all sightings of the object's states in the order in
//! which they were read. So any order of arrival ends in the same captures, as long as each message says something new:
//! of a state that is read again with the same time of its source nothing is kept, and it parts nothing.

use crate::Sighting;
use crate::decision::effective_after;

/// A capture that is kept: a state, and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The smart hash of the state; empty for an object that is gone.
    pub state: String,
    /// When it began.
    pub effective_ms: i64,
    /// When it was seen, its own capture first.
    pub sightings: Vec<Sighting>,
}

/// What a capture is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is the kept capture of this number.
    Kept(usize),
    /// It says what the kept capture of this number says, from which another state has parted it.
    Parted(usize),
    /// It is the late message's.
    Late,
}

impl Origin {
    /// The number of the kept capture with its content.
    #[must_use]
    pub const fn kept(self) -> Option<usize> {
        match self {
            Self::Kept(index) | Self::Parted(index) => Some(index),
            Self::Late => None,
        }
    }
}

/// A capture as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What it is made of.
    pub origin: Origin,
    /// When its state began.
    pub effective_ms: i64,
    /// When it was seen.
    pub sightings: Vec<Sighting>,
}

impl Placed {
    /// The latest instant at which the state was seen, where that is later than its beginning.
    #[must_use]
    pub fn extended_ms(&self) -> Option<i64> {
        let last = self.sightings.iter().map(|sighting| sighting.occurred_ms).max();
        last.filter(|last| *last > self.effective_ms)
    }
}

/// Puts a late message, the sighting of a state, among the captures of its object, which are in their order. None where
/// it says nothing new.
#[must_use]
pub fn place(kept: &[Stretch], state: &str, late: Sighting) -> Option<Vec<Placed>> {
    if kept.iter().any(|stretch| stretch.state == state && stretch.sightings.contains(&late)) {
        return None;
    }
    let mut points: Vec<(Origin, &str, Sighting)> = Vec::new();
    for (index, stretch) in kept.iter().enumerate() {
        for (nth, sighting) in stretch.sightings.iter().enumerate() {
            let origin = if nth == 0 { Origin::Kept(index) } else { Origin::Parted(index) };
            points.push((origin, &stretch.state, *sighting));
        }
    }
    let order = |sighting: &Sighting| (sighting.observed_ms, sighting.occurred_ms);
    let at = points.partition_point(|(_, _, sighting)| order(sighting) <= order(&late));
    points.insert(at, (Origin::Late, state, late));

    let mut placed: Vec<Placed> = Vec::with_capacity(kept.len() + 2);
    let mut last = None;
    for (origin, state, sighting) in points {
        match placed.last_mut() {
            Some(same) if last == Some(state) => {
                if sighting.occurred_ms > same.extended_ms().unwrap_or(same.effective_ms) {
                    sighting.note(&mut same.sightings);
                }
            }
            before => {
                let effective_ms = before.map_or(sighting.occurred_ms, |before| {
                    effective_after(before.effective_ms, sighting.occurred_ms, sighting.observed_ms)
                });
                placed.push(Placed { origin, effective_ms, sightings: vec![sighting] });
            }
        }
        last = Some(state);
    }
    Some(placed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Decision, Facts, Head, ImageHashes, decide};

    /// A reading of one object: its state (empty: gone), when that came about, and when it was read.
    type Reading = (&'static str, i64, i64);

    /// An object's history in memory: what the writer keeps, without documents.
    #[derive(Debug, Default, PartialEq)]
    struct History(Vec<Stretch>);

    impl History {
        fn head(&self) -> Option<Head> {
            let last = self.0.last()?;
            let occurred = last.sightings.iter().map(|sighting| sighting.occurred_ms).max()?;
            Some(Head {
                capture_id: String::new(),
                effective_ms: last.effective_ms,
                extended_to_ms: occurred.max(last.effective_ms),
                observed_ms: last.sightings.last()?.observed_ms,
                full_hash: last.state.clone(),
                smart_hash: last.state.clone(),
                patches_since_full: 0,
                full_capture_id: String::new(),
                full_observed_ms: 0,
                deleted: last.state.is_empty(),
                name: String::new(),
                seen: last.sightings.clone(),
            })
        }

        fn take(&mut self, (state, occurred_ms, observed_ms): Reading) {
            let hashes = ImageHashes { full: state.to_owned(), smart: state.to_owned() };
            let facts = Facts { occurred_ms, observed_ms, hashes: (!state.is_empty()).then_some(&hashes) };
            let sighting = Sighting { occurred_ms, observed_ms };
            let is_kept = self.0.iter().any(|kept| kept.state == state && kept.effective_ms == occurred_ms);
            let effective_ms = match decide(self.head().as_ref(), facts).settle(is_kept) {
                Decision::Duplicate => return,
                Decision::Unchanged { extended_to_ms } => {
                    if self.head().unwrap().extended_to_ms < extended_to_ms {
                        sighting.note(&mut self.0.last_mut().unwrap().sightings);
                    }
                    return;
                }
                Decision::Late => return self.insert(state, sighting),
                Decision::First => occurred_ms,
                Decision::Recreate { effective_ms }
                | Decision::Change { effective_ms }
                | Decision::Delete { effective_ms } => effective_ms,
            };
            self.0.push(Stretch { state: state.to_owned(), effective_ms, sightings: vec![sighting] });
        }

        fn insert(&mut self, state: &str, late: Sighting) {
            let Some(placed) = place(&self.0, state, late) else { return };
            let state_of =
                |origin: Origin| origin.kept().map_or(state, |index| &self.0[index].state).to_owned();
            let stretch = |placed: Placed| Stretch {
                state: state_of(placed.origin),
                effective_ms: placed.effective_ms,
                sightings: placed.sightings,
            };
            self.0 = placed.into_iter().map(stretch).collect();
        }
    }

    fn taken(readings: &[Reading]) -> History {
        let mut history = History::default();
        readings.iter().for_each(|reading| history.take(*reading));
        history
    }

    /// State, beginning, last seen.
    fn told(history: &History) -> Vec<(&str, i64, i64)> {
        let last =
            |stretch: &Stretch| stretch.sightings.last().unwrap().occurred_ms.max(stretch.effective_ms);
        history
            .0
            .iter()
            .map(|stretch| (stretch.state.as_str(), stretch.effective_ms, last(stretch)))
            .collect()
    }

    /// TRAP-01: whichever of the three comes last.
    #[test]
    fn a_state_that_comes_back_is_three_captures_in_every_order() {
        let [one, two, three] = [("A", 1, 1), ("B", 2, 2), ("A", 3, 3)];
        for order in [
            [one, two, three],
            [one, three, two],
            [two, one, three],
            [two, three, one],
            [three, one, two],
            [three, two, one],
        ] {
            assert_eq!(told(&taken(&order)), [("A", 1, 1), ("B", 2, 2), ("A", 3, 3)], "{order:?}");
        }
    }

    #[test]
    fn a_late_state_parts_the_sightings_of_another() {
        let history = taken(&[("A", 1, 1), ("A", 3, 3), ("A", 5, 5), ("B", 2, 2)]);
        assert_eq!(told(&history), [("A", 1, 1), ("B", 2, 2), ("A", 3, 5)]);
    }

    #[test]
    fn a_late_state_joins_its_equal_neighbour() {
        // Equal to the older one: unchanged there. Equal to the newer one: that began earlier.
        assert_eq!(told(&taken(&[("A", 1, 1), ("B", 5, 5), ("A", 3, 3)])), [("A", 1, 3), ("B", 5, 5)]);
        assert_eq!(told(&taken(&[("A", 1, 1), ("B", 5, 5), ("B", 3, 3)])), [("A", 1, 1), ("B", 3, 5)]);
    }

    #[test]
    fn a_late_end_parts_two_lives() {
        let history = taken(&[("A", 1, 1), ("A", 5, 5), ("", 3, 3)]);
        assert_eq!(told(&history), [("A", 1, 1), ("", 3, 3), ("A", 5, 5)]);
    }

    /// What vanished without a trace is dated to when that was seen, and what comes before it takes its own date back.
    #[test]
    fn what_comes_before_an_untraced_change_dates_it() {
        assert_eq!(told(&taken(&[("B", 100, 300), ("A", 100, 150)])), [("A", 100, 100), ("B", 300, 300)]);
    }

    /// Readings in order. Traced ones occurred after the reading before; an untraced one has its predecessor's time, and
    /// a state that was not seen at that time.
    fn readings() -> impl Strategy<Value = Vec<Reading>> {
        let step =
            (prop::sample::select(vec!["A", "B", "C", ""]), 1..5_i64, 0..4_i64, prop::bool::weighted(0.2));
        prop::collection::vec(step, 2..=8).prop_map(|steps| {
            let mut readings: Vec<Reading> = Vec::new();
            let mut now_ms = 0;
            for (state, lag_ms, pause_ms, untraced) in steps {
                let occurred_ms = match readings.last() {
                    Some((_, before_ms, _)) if untraced => *before_ms,
                    _ => now_ms + 1 + pause_ms,
                };
                now_ms = now_ms.max(occurred_ms) + lag_ms;
                if !readings.iter().any(|(known, at, _)| *known == state && *at == occurred_ms) {
                    readings.push((state, occurred_ms, now_ms));
                }
            }
            readings
        })
    }

    /// Readings in order whose times of occurring say nothing about when the others were read: what commits late.
    fn overtaking() -> impl Strategy<Value = Vec<Reading>> {
        let step = (prop::sample::select(vec!["A", "B", ""]), 1..4_i64, 1..9_i64);
        prop::collection::vec(step, 2..=8).prop_map(|steps| {
            let (mut occurred_ms, mut now_ms) = (0, 0);
            let mut reading = |(state, pause_ms, lag_ms)| {
                occurred_ms += pause_ms;
                now_ms = (now_ms + 1).max(occurred_ms + lag_ms);
                (state, occurred_ms, now_ms)
            };
            steps.into_iter().map(&mut reading).collect()
        })
    }

    /// In any order, some of them more than once.
    fn shuffled(readings: Vec<Reading>) -> impl Strategy<Value = (Vec<Reading>, Vec<Vec<Reading>>)> {
        let again = prop::collection::vec(prop::sample::select(readings.clone()), 0..4);
        let one = again.prop_flat_map({
            let readings = readings.clone();
            move |again| Just([readings.clone(), again].concat()).prop_shuffle()
        });
        (Just(readings), prop::collection::vec(one, 25))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// IIQ-56, IIQ-61: 100,000 permutations, with repetitions.
        #[test]
        fn any_order_of_arrival_ends_in_the_same_captures(
            (readings, orders) in prop_oneof![readings().boxed(), overtaking().boxed()].prop_flat_map(shuffled)
        ) {
            let in_order = taken(&readings);
            for order in orders {
                let out_of_order = taken(&order);
                prop_assert_eq!(&out_of_order, &in_order, "{:?}", order);
            }
        }
    }

    proptest! {
        /// The same, by another route: each state that differs from the one before is a capture, at its own time.
        #[test]
        fn in_order_each_change_is_a_capture(readings in overtaking()) {
            let mut expected: Vec<(&str, i64, i64)> = Vec::new();
            for (state, occurred_ms, _) in &readings {
                match expected.last_mut() {
                    Some((last, _, seen_ms)) if last == state => *seen_ms = *occurred_ms,
                    _ => expected.push((state, *occurred_ms, *occurred_ms)),
                }
            }
            let history = taken(&readings);
            prop_assert_eq!(told(&history), expected);
        }
    }
}
