//! The access intervals of one identity: what it held from when until when, and since when and until when history has
//! known it so. The same of what a role or a group brings with it.
//!
//! A row tells of one interval and of three instants of recorded time. It is known from `recorded_from_ms` on, at first
//! with no end; its end is known from `end.recorded_ms` on; from `recorded_to_ms` on history knows better. So an end that
//! is learned changes its row and makes no second one, and what was known at an instant can still be asked.
//!
//! What is known now is a function of the identity's captures alone, in whatever order they came. Recorded times are
//! those at which captures were recorded, and all that is recorded at one instant counts as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Holding;

/// What a capture says that its identity holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessState<H = Holding> {
    /// The capture.
    pub capture_id: Arc<str>,
    /// When its state began, epoch milliseconds.
    pub effective_ms: i64,
    /// Sorted, each once; empty where the identity is gone.
    pub holdings: Vec<H>,
}

/// That something was held from an instant on, and perhaps until another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessInterval<H = Holding> {
    /// What, and how it was come by.
    pub holding: H,
    /// Since when, epoch milliseconds.
    pub valid_from_ms: i64,
    /// The capture that says so.
    pub opened_by: Arc<str>,
    /// None while it is held, as far as is known.
    pub end: Option<IntervalEnd>,
}

/// That something was no longer held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntervalEnd {
    /// From when on, epoch milliseconds.
    pub valid_to_ms: i64,
    /// The capture that says so.
    pub closed_by: Arc<str>,
    /// When history learned of it.
    pub recorded_ms: i64,
}

/// An interval, and when that was known: a row of `annals_access_interval`, or of `annals_access_grant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerRow<H = Holding> {
    /// Its number among the identity's rows, from 0.
    pub seq: i64,
    /// The interval.
    pub interval: AccessInterval<H>,
    /// Since when history has known it, epoch milliseconds.
    pub recorded_from_ms: i64,
    /// Since when history has known better; none while it is what is known.
    pub recorded_to_ms: Option<i64>,
}

/// How a row differs from what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Added,
    Changed,
}

/// The rows of one identity, and what has become of them since they were read.
#[derive(Debug, Clone)]
pub struct Ledger<H = Holding> {
    rows: Vec<(LedgerRow<H>, Change)>,
    next_seq: i64,
    removed: Vec<i64>,
}

impl<H: PartialEq> AccessInterval<H> {
    fn holds_at(&self, at_ms: i64) -> bool {
        self.valid_from_ms <= at_ms && self.end.as_ref().is_none_or(|end| end.valid_to_ms > at_ms)
    }

    /// Whether it says the same, whenever its end was recorded.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let end =
            |interval: &Self| interval.end.as_ref().map(|end| (end.valid_to_ms, Arc::clone(&end.closed_by)));
        self.begins_as(other) && end(self) == end(other)
    }

    fn begins_as(&self, other: &Self) -> bool {
        self.valid_from_ms == other.valid_from_ms
            && self.opened_by == other.opened_by
            && self.holding == other.holding
    }
}

impl<H> Default for Ledger<H> {
    fn default() -> Self {
        Self { rows: Vec::new(), next_seq: 0, removed: Vec::new() }
    }
}

impl<H: Ord + Clone> Ledger<H> {
    /// The rows as they are stored, and the number of the next one.
    #[must_use]
    pub fn of(rows: Vec<LedgerRow<H>>, next_seq: i64) -> Self {
        Self {
            rows: rows.into_iter().map(|row| (row, Change::None)).collect(),
            next_seq,
            removed: Vec::new(),
        }
    }

    /// Rows none of which is stored yet, numbered anew in their order.
    #[must_use]
    pub fn unstored(rows: Vec<LedgerRow<H>>) -> Self {
        let mut ledger = Self::default();
        for row in rows {
            ledger.rows.push((LedgerRow { seq: ledger.next_seq, ..row }, Change::Added));
            ledger.next_seq += 1;
        }
        ledger
    }

    /// The rows that identities have whose captures became known so: each with the instant at which it was recorded.
    #[must_use]
    pub fn replayed(mut captures: Vec<(i64, AccessState<H>)>) -> Self {
        captures.sort_by(|(one_ms, one), (two_ms, two)| {
            (one_ms, one.effective_ms, &one.capture_id).cmp(&(two_ms, two.effective_ms, &two.capture_id))
        });
        let mut ledger = Self::default();
        let mut known: Vec<AccessState<H>> = Vec::with_capacity(captures.len());
        let mut captures = captures.into_iter().peekable();
        while let Some((recorded_ms, state)) = captures.next() {
            if known.last().is_none_or(|last| last.effective_ms < state.effective_ms) {
                ledger.advance(&state, recorded_ms);
                known.push(state);
                continue;
            }
            known.push(state);
            while let Some((_, state)) = captures.next_if(|(next_ms, _)| *next_ms == recorded_ms) {
                known.push(state);
            }
            known.sort_by_key(|state| state.effective_ms);
            ledger.revise(&known, recorded_ms);
        }
        ledger
    }

    /// Takes the identity's newest state: what it says no more ends, what it says anew begins. The rows that are still
    /// held have to be there; no others are looked at.
    pub fn advance(&mut self, state: &AccessState<H>, recorded_ms: i64) {
        let mut still = vec![false; state.holdings.len()];
        for (row, change) in &mut self.rows {
            if row.recorded_to_ms.is_some() || row.interval.end.is_some() {
                continue;
            }
            match state.holdings.binary_search(&row.interval.holding) {
                Ok(position) => still[position] = true,
                Err(_) => {
                    row.interval.end = Some(IntervalEnd {
                        valid_to_ms: state.effective_ms,
                        closed_by: Arc::clone(&state.capture_id),
                        recorded_ms,
                    });
                    change.note();
                }
            }
        }
        for (holding, _) in state.holdings.iter().zip(still).filter(|(_, still)| !still) {
            self.add(
                AccessInterval {
                    holding: holding.clone(),
                    valid_from_ms: state.effective_ms,
                    opened_by: Arc::clone(&state.capture_id),
                    end: None,
                },
                recorded_ms,
            );
        }
    }

    /// Takes all states of the identity, in the order of their dates: rows that do not hold any more are closed in
    /// recorded time, right ones are added. All rows that are what is known have to be there, and those that were closed
    /// in recorded time at this very instant.
    pub fn revise(&mut self, states: &[AccessState<H>], recorded_ms: i64) {
        let mut right = Self::default();
        for state in states {
            right.advance(state, recorded_ms);
        }
        let mut wanted: BTreeMap<(i64, H), AccessInterval<H>> = right
            .rows
            .into_iter()
            .map(|(row, _)| ((row.interval.valid_from_ms, row.interval.holding.clone()), row.interval))
            .collect();
        let mut removed = Vec::new();
        self.rows.retain_mut(|(row, change)| {
            if row.recorded_to_ms.is_some_and(|to_ms| to_ms != recorded_ms) {
                return true;
            }
            let withdrawn = row.recorded_to_ms.take().is_some();
            // What was learned at this very instant is learned anew.
            let end = row.interval.end.take_if(|end| end.recorded_ms == recorded_ms);
            let key = (row.interval.valid_from_ms, row.interval.holding.clone());
            let fits = |right: &AccessInterval<H>| {
                right.is_same(&row.interval) || row.interval.end.is_none() && right.begins_as(&row.interval)
            };
            if wanted.get(&key).is_some_and(fits) {
                if let Some(right) = wanted.remove(&key)
                    && row.interval.end.is_none()
                {
                    row.interval.end = right.end;
                    if row.interval.end != end {
                        change.note();
                    }
                }
                if withdrawn {
                    change.note();
                }
                return true;
            }
            if row.recorded_from_ms == recorded_ms {
                if *change != Change::Added {
                    removed.push(row.seq);
                }
                return false;
            }
            row.recorded_to_ms = Some(recorded_ms);
            if !withdrawn {
                change.note();
            }
            true
        });
        self.removed.extend(removed);
        for interval in wanted.into_values() {
            self.add(interval, recorded_ms);
        }
    }

    fn add(&mut self, interval: AccessInterval<H>, recorded_ms: i64) {
        let row =
            LedgerRow { seq: self.next_seq, interval, recorded_from_ms: recorded_ms, recorded_to_ms: None };
        self.next_seq += 1;
        self.rows.push((row, Change::Added));
    }

    /// What was held at an instant, as far as is known now; sorted.
    #[must_use]
    pub fn held_at(&self, at_ms: i64) -> Vec<H> {
        let known = self.rows.iter().filter(|(row, _)| row.recorded_to_ms.is_none());
        let held = known.filter(|(row, _)| row.interval.holds_at(at_ms));
        let mut holdings: Vec<H> = held.map(|(row, _)| row.interval.holding.clone()).collect();
        holdings.sort();
        holdings
    }

    /// All rows, without what was stored of them.
    #[must_use]
    pub fn into_rows(self) -> Vec<LedgerRow<H>> {
        self.rows.into_iter().map(|(row, _)| row).collect()
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &LedgerRow<H>> {
        self.rows.iter().map(|(row, _)| row)
    }

    /// Rows that are not stored yet.
    pub fn added(&self) -> impl Iterator<Item = &LedgerRow<H>> {
        self.rows.iter().filter(|(_, change)| *change == Change::Added).map(|(row, _)| row)
    }

    /// Rows that are stored, and differ.
    pub fn changed(&self) -> impl Iterator<Item = &LedgerRow<H>> {
        self.rows.iter().filter(|(_, change)| *change == Change::Changed).map(|(row, _)| row)
    }

    /// Numbers of rows that are stored and must not be any more: nobody could have seen what they say.
    #[must_use]
    pub fn removed(&self) -> &[i64] {
        &self.removed
    }
}

impl Change {
    /// A row that is not stored yet stays one that is added.
    fn note(&mut self) {
        if *self == Self::None {
            *self = Self::Changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Acquired;

    fn state(capture_id: &str, effective_ms: i64, items: &[i64]) -> AccessState {
        let holding = |item: &i64| Holding {
            item: *item,
            native_identity: None,
            acquired: Acquired::ASSIGNED,
            cause: None,
            assigner: None,
            request_item_id: None,
        };
        AccessState {
            capture_id: capture_id.into(),
            effective_ms,
            holdings: items.iter().map(holding).collect(),
        }
    }

    /// Item, opened by at, closed by at learned at; since when known, until when; sorted.
    fn told(ledger: &Ledger) -> Vec<String> {
        let row = |row: &LedgerRow| {
            let interval = &row.interval;
            let end = interval.end.as_ref().map_or_else(String::new, |end| {
                format!("{}@{} learned {}", end.closed_by, end.valid_to_ms, end.recorded_ms)
            });
            let to = row.recorded_to_ms.map_or_else(String::new, |to| to.to_string());
            format!(
                "{} {}@{}..{end} | {}..{to}",
                interval.holding.item, interval.opened_by, interval.valid_from_ms, row.recorded_from_ms
            )
        };
        let mut told: Vec<String> = ledger.rows().map(row).collect();
        told.sort();
        told
    }

    /// TRAP-02: what comes, goes and comes again is two intervals.
    #[test]
    fn what_comes_goes_and_comes_again_is_two_intervals() {
        let mut ledger = Ledger::default();
        ledger.advance(&state("a", 100, &[1, 2]), 105);
        ledger.advance(&state("b", 200, &[1]), 205);
        ledger.advance(&state("c", 300, &[1, 2]), 305);
        ledger.advance(&state("end", 400, &[]), 405);
        assert_eq!(
            told(&ledger),
            [
                "1 a@100..end@400 learned 405 | 105..",
                "2 a@100..b@200 learned 205 | 105..",
                "2 c@300..end@400 learned 405 | 305..",
            ]
        );
        assert_eq!(ledger.added().count(), 3);
        assert_eq!(ledger.held_at(250).iter().map(|holding| holding.item).collect::<Vec<_>>(), [1]);
        assert_eq!(ledger.held_at(400), []);
        assert_eq!(ledger.held_at(99), []);
    }

    /// IIQ-61: a late capture splits an interval; what was known before can still be told.
    #[test]
    fn a_late_capture_splits_an_interval() {
        let [a, c] = [state("a", 100, &[1]), state("c", 300, &[1, 2])];
        let mut ledger = Ledger::default();
        ledger.advance(&a, 105);
        ledger.advance(&c, 305);
        let stored: Vec<LedgerRow> = ledger.rows().cloned().collect();
        let mut ledger = Ledger::of(stored, 2);
        ledger.revise(&[a, state("b", 200, &[2]), c], 400);
        assert_eq!(
            told(&ledger),
            [
                "1 a@100..b@200 learned 400 | 105..",
                "1 c@300.. | 400..",
                "2 b@200.. | 400..",
                "2 c@300.. | 305..400",
            ]
        );
        let seqs = |rows: Vec<&LedgerRow>| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
        assert_eq!(seqs(ledger.added().collect()), [2, 3]);
        assert_eq!(seqs(ledger.changed().collect()), [0, 1]);
        assert!(ledger.removed().is_empty());
    }

    /// What one transaction learns in several steps it has learned at once.
    #[test]
    fn what_is_learned_at_one_instant_leaves_no_steps() {
        let [a, c] = [state("a", 100, &[1]), state("c", 300, &[2])];
        let mut ledger = Ledger::default();
        ledger.advance(&a, 105);
        ledger.advance(&c, 400);
        let stored: Vec<LedgerRow> = ledger.rows().cloned().collect();
        let mut ledger = Ledger::of(stored, 2);
        ledger.revise(&[a.clone(), state("b", 200, &[2])], 400);
        assert_eq!(told(&ledger), ["1 a@100..b@200 learned 400 | 105..", "2 b@200.. | 400.."]);
        assert_eq!(ledger.removed(), [1]);
        // The end is withdrawn at the instant at which it was learned.
        let stored: Vec<LedgerRow> = ledger.rows().cloned().collect();
        let mut ledger = Ledger::of(stored, 3);
        ledger.revise(&[a, state("b", 200, &[1])], 400);
        assert_eq!(told(&ledger), ["1 a@100.. | 105.."]);
        assert_eq!(ledger.removed(), [2]);
    }

    /// An end that was known wrong for a while: both rows are kept.
    #[test]
    fn an_end_that_moves_makes_another_row() {
        let [a, c] = [state("a", 100, &[1]), state("c", 300, &[])];
        let mut ledger = Ledger::default();
        ledger.advance(&a, 105);
        ledger.advance(&c, 305);
        ledger.revise(&[a, state("b", 200, &[]), c], 400);
        assert_eq!(
            told(&ledger),
            ["1 a@100..b@200 learned 400 | 400..", "1 a@100..c@300 learned 305 | 105..400"]
        );
    }

    #[test]
    fn a_replay_gives_the_same_rows() {
        let [a, b, c] = [state("a", 100, &[1, 3]), state("b", 200, &[2, 3]), state("c", 300, &[1, 2])];
        let mut ledger = Ledger::default();
        ledger.advance(&a, 105);
        ledger.advance(&c, 305);
        ledger.revise(&[a.clone(), b.clone(), c.clone()], 400);
        let replayed = Ledger::replayed(vec![(305, c), (400, b), (105, a)]);
        assert_eq!(told(&replayed), told(&ledger));
        // Twice item 1, once as it is and once withdrawn item 2, once item 3.
        assert_eq!(told(&replayed).len(), 5);
    }
}
