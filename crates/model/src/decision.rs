//! What becomes of a message: the writer's decision, from an object's head and the message alone.

use crate::{Head, ImageHashes, Message, Operation, Sighting, TransformType};

/// What a message says, as far as the decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'m> {
    /// When the state came about in the identity system, epoch milliseconds.
    pub occurred_ms: i64,
    /// The source's time when it was read.
    pub observed_ms: i64,
    /// Hashes of the image; none if the object is gone.
    pub hashes: Option<&'m ImageHashes>,
}

impl<'m> From<&'m Message> for Facts<'m> {
    fn from(message: &'m Message) -> Self {
        let hashes = match &message.operation {
            Operation::Capture(captured) => Some(&captured.hashes),
            Operation::Delete => None,
        };
        Self { occurred_ms: message.occurred_ms, observed_ms: message.observed_ms, hashes }
    }
}

/// What becomes of a message. The effective dates of an object's captures rise strictly from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The object is new to history: a full capture and an initial event (IIQ-11).
    First,
    /// The object is there again after its deletion: its second life begins like the first.
    Recreate {
        /// When it began.
        effective_ms: i64,
    },
    /// History has this very state (IIQ-10): counted, nothing written.
    Duplicate,
    /// The head's state still stands (IIQ-12): no capture, no event.
    Unchanged {
        /// The head's new extended-to date; the same as before where there is nothing to move.
        extended_to_ms: i64,
    },
    /// Another state: a capture and the events of the difference.
    Change {
        /// When it began.
        effective_ms: i64,
    },
    /// The object is gone: a tombstone.
    Delete {
        /// When it went.
        effective_ms: i64,
    },
    /// Read before the head's state was last read, and not known to history: it belongs somewhere before.
    Late,
}

/// A decision, or the one question that the head cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing more is needed.
    Settled(Decision),
    /// The message is not newer than the head. If history keeps its very state, effective when the message says that it
    /// occurred or when it was read, it is a duplicate; else this.
    UnlessKept(Decision),
}

impl Verdict {
    /// The decision, given whether history keeps the message's very state.
    #[must_use]
    pub const fn settle(self, kept: bool) -> Decision {
        match self {
            Self::UnlessKept(_) if kept => Decision::Duplicate,
            Self::UnlessKept(decision) | Self::Settled(decision) => decision,
        }
    }
}

/// Decides what becomes of a message. Only the head's hashes count: a state that was there before, with another one
/// since, is a new state (TRAP-01).
#[must_use]
pub fn decide(head: Option<&Head>, facts: Facts<'_>) -> Verdict {
    let Some(head) = head else {
        return Verdict::Settled(match facts.hashes {
            Some(_) => Decision::First,
            // Written although history never saw the object: a capture of it that comes later, but was read earlier,
            // must not bring it to life.
            None => Decision::Delete { effective_ms: facts.occurred_ms },
        });
    };
    if let Some(same) = same_state(head, facts) {
        return Verdict::Settled(same);
    }
    let effective_ms = effective_after(head.effective_ms, facts.occurred_ms, facts.observed_ms);
    let newer = match facts.hashes {
        Some(_) if head.deleted => Decision::Recreate { effective_ms },
        Some(_) => Decision::Change { effective_ms },
        None => Decision::Delete { effective_ms },
    };
    if facts.observed_ms < head.observed_ms {
        Verdict::UnlessKept(Decision::Late)
    } else if facts.observed_ms == head.observed_ms && facts.occurred_ms <= head.effective_ms {
        Verdict::UnlessKept(newer)
    } else {
        Verdict::Settled(newer)
    }
}

/// What a message comes to whose state is the head's.
fn same_state(head: &Head, facts: Facts<'_>) -> Option<Decision> {
    let (same_full, same_smart) = match facts.hashes {
        Some(hashes) if !head.deleted => (hashes.full == head.full_hash, hashes.smart == head.smart_hash),
        None if head.deleted => (true, true),
        _ => return None,
    };
    if (same_full || same_smart) && is_before(head, facts) {
        return Some(Decision::Late);
    }
    if same_full && facts.occurred_ms <= head.extended_to_ms {
        Some(Decision::Duplicate)
    } else if same_full || same_smart {
        Some(Decision::Unchanged { extended_to_ms: facts.occurred_ms.max(head.extended_to_ms) })
    } else {
        None
    }
}

/// Whether the head's own state was seen at an instant that says something new: before it was known to have begun, or
/// between two sightings, where another state may have to part them.
fn is_before(head: &Head, facts: Facts<'_>) -> bool {
    let Facts { occurred_ms, observed_ms, .. } = facts;
    observed_ms < head.observed_ms
        && occurred_ms != head.effective_ms
        && occurred_ms < head.extended_to_ms
        && !head.sightings().contains(&Sighting { occurred_ms, observed_ms })
}

/// When a state began that follows another. Where the source's own time says that nothing changed since the other one
/// began, something vanished without a trace: the change is dated to when it was seen.
pub(crate) fn effective_after(before_ms: i64, occurred_ms: i64, observed_ms: i64) -> i64 {
    if occurred_ms > before_ms { occurred_ms } else { observed_ms.max(before_ms.saturating_add(1)) }
}

/// When a capture may be a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchPolicy {
    /// The most patches between two full captures; 0: every capture is full (IIQ-41).
    pub max_allowed_patches: u32,
    /// A full capture older than this many days gets no more patches (IIQ-42); none: it never is too old.
    pub capture_max_age_days: Option<u32>,
}

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

impl PatchPolicy {
    /// Whether the capture that follows the head, read at this instant, may be a patch. Age is counted between the
    /// readings of the last full capture and of this one: not from effective dates, which for what an initial run finds
    /// lie years back, and not by a clock, so that the answer does not depend on when it is asked.
    #[must_use]
    pub fn mode(&self, head: &Head, observed_ms: i64) -> TransformType {
        let age_ms = observed_ms.saturating_sub(head.full_observed_ms);
        let too_old = self.capture_max_age_days.is_some_and(|days| age_ms > i64::from(days) * DAY_MS);
        if head.deleted || head.patches_since_full >= self.max_allowed_patches || too_old {
            TransformType::Full
        } else {
            TransformType::Patch
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes(full: &str, smart: &str) -> ImageHashes {
        ImageHashes { full: full.to_owned(), smart: smart.to_owned() }
    }

    /// State `A`, effective at 100, still seen at 150, read at 200.
    fn head() -> Head {
        Head {
            capture_id: "c1".to_owned(),
            effective_ms: 100,
            extended_to_ms: 150,
            observed_ms: 200,
            full_hash: "A".to_owned(),
            smart_hash: "a".to_owned(),
            patches_since_full: 0,
            full_capture_id: "c1".to_owned(),
            full_observed_ms: 100,
            deleted: false,
            name: "ann".to_owned(),
            seen: Vec::new(),
        }
    }

    fn tombstone() -> Head {
        Head { deleted: true, full_hash: String::new(), smart_hash: String::new(), ..head() }
    }

    fn capture(head: Option<&Head>, state: (&str, &str), occurred_ms: i64, observed_ms: i64) -> Verdict {
        decide(head, Facts { occurred_ms, observed_ms, hashes: Some(&hashes(state.0, state.1)) })
    }

    fn deletion(head: Option<&Head>, occurred_ms: i64, observed_ms: i64) -> Verdict {
        decide(head, Facts { occurred_ms, observed_ms, hashes: None })
    }

    const A: (&str, &str) = ("A", "a");
    const A_TOUCHED: (&str, &str) = ("A2", "a");
    const B: (&str, &str) = ("B", "b");

    /// IIQ-11
    #[test]
    fn an_object_without_a_head_is_new() {
        assert_eq!(capture(None, A, 100, 200), Verdict::Settled(Decision::First));
        assert_eq!(deletion(None, 100, 200), Verdict::Settled(Decision::Delete { effective_ms: 100 }));
    }

    /// IIQ-10
    #[test]
    fn the_heads_own_state_is_a_duplicate() {
        for occurred in [90, 100, 150] {
            assert_eq!(capture(Some(&head()), A, occurred, 200), Verdict::Settled(Decision::Duplicate));
            assert_eq!(capture(Some(&head()), A, occurred, 900), Verdict::Settled(Decision::Duplicate));
        }
    }

    /// IIQ-12
    #[test]
    fn the_same_smart_hash_is_unchanged_and_only_moves_the_end() {
        let unchanged = |extended_to_ms| Verdict::Settled(Decision::Unchanged { extended_to_ms });
        assert_eq!(capture(Some(&head()), A, 300, 400), unchanged(300));
        assert_eq!(capture(Some(&head()), A_TOUCHED, 300, 400), unchanged(300));
        assert_eq!(capture(Some(&head()), A_TOUCHED, 100, 400), unchanged(150));
        assert_eq!(capture(Some(&head()), A_TOUCHED, 100, 120), unchanged(150));
    }

    /// The same state, read earlier: it began before it was known to, or was seen between two sightings. What was seen
    /// already says nothing new.
    #[test]
    fn an_earlier_sighting_of_the_heads_state_is_late() {
        let seen =
            [(100, 110), (150, 200)].map(|(occurred_ms, observed_ms)| Sighting { occurred_ms, observed_ms });
        let head = Head { seen: seen.into(), ..head() };
        for (occurred_ms, observed_ms) in [(90, 95), (120, 130)] {
            assert_eq!(capture(Some(&head), A, occurred_ms, observed_ms), Verdict::Settled(Decision::Late));
        }
        for (occurred_ms, observed_ms) in [(100, 110), (150, 200)] {
            let again = capture(Some(&head), A, occurred_ms, observed_ms);
            assert_eq!(again, Verdict::Settled(Decision::Duplicate));
        }
    }

    #[test]
    fn another_state_read_later_is_a_change_dated_by_the_source() {
        let change = |effective_ms| Verdict::Settled(Decision::Change { effective_ms });
        assert_eq!(capture(Some(&head()), B, 300, 400), change(300));
        assert_eq!(capture(Some(&head()), B, 101, 200), change(101));
    }

    #[test]
    fn a_change_that_the_source_does_not_date_is_dated_to_when_it_was_seen() {
        let change = |effective_ms| Verdict::Settled(Decision::Change { effective_ms });
        assert_eq!(capture(Some(&head()), B, 100, 400), change(400));
        assert_eq!(capture(Some(&head()), B, 50, 400), change(400));
        let from_the_future = Head { effective_ms: 1_000, ..head() };
        assert_eq!(capture(Some(&from_the_future), B, 300, 400), change(1_001));
    }

    #[test]
    fn an_earlier_reading_is_late_unless_it_is_kept() {
        let verdict = capture(Some(&head()), B, 90, 199);
        assert_eq!(verdict, Verdict::UnlessKept(Decision::Late));
        assert_eq!((verdict.settle(true), verdict.settle(false)), (Decision::Duplicate, Decision::Late));
        assert_eq!(deletion(Some(&head()), 90, 199), Verdict::UnlessKept(Decision::Late));
        assert_eq!(capture(Some(&tombstone()), A, 90, 199), Verdict::UnlessKept(Decision::Late));
    }

    #[test]
    fn a_reading_of_the_same_instant_may_be_an_older_one_come_again() {
        let verdict = capture(Some(&head()), B, 100, 200);
        assert_eq!(verdict, Verdict::UnlessKept(Decision::Change { effective_ms: 200 }));
    }

    /// IIQ-10, TRAP-16
    #[test]
    fn a_deletion_ends_the_object_once() {
        assert_eq!(
            deletion(Some(&head()), 300, 400),
            Verdict::Settled(Decision::Delete { effective_ms: 300 })
        );
        assert_eq!(
            deletion(Some(&head()), 100, 400),
            Verdict::Settled(Decision::Delete { effective_ms: 400 })
        );
        assert_eq!(deletion(Some(&tombstone()), 100, 200), Verdict::Settled(Decision::Duplicate));
        assert_eq!(
            deletion(Some(&tombstone()), 300, 400),
            Verdict::Settled(Decision::Unchanged { extended_to_ms: 300 })
        );
    }

    #[test]
    fn an_object_read_after_its_deletion_lives_again() {
        let recreate = |effective_ms| Verdict::Settled(Decision::Recreate { effective_ms });
        assert_eq!(capture(Some(&tombstone()), A, 300, 400), recreate(300));
        assert_eq!(capture(Some(&tombstone()), A, 90, 400), recreate(400));
    }

    /// TRAP-01: only the newest state counts, so A after B is a state of its own.
    #[test]
    fn a_state_that_comes_back_is_a_change() {
        let after_b = Head { full_hash: "B".to_owned(), smart_hash: "b".to_owned(), ..head() };
        assert_eq!(
            capture(Some(&after_b), A, 300, 400),
            Verdict::Settled(Decision::Change { effective_ms: 300 })
        );
    }

    /// IIQ-41: 0 gives full captures only, 2 gives F P P F P P F.
    #[test]
    fn patches_between_full_captures() {
        let cadence = |max_allowed_patches| {
            let policy = PatchPolicy { max_allowed_patches, capture_max_age_days: Some(30) };
            let mut head = head();
            let mut modes = String::from("F");
            for _ in 0..6 {
                match policy.mode(&head, head.observed_ms + 1) {
                    TransformType::Full => {
                        modes.push('F');
                        head.patches_since_full = 0;
                    }
                    TransformType::Patch => {
                        modes.push('P');
                        head.patches_since_full += 1;
                    }
                }
            }
            modes
        };
        assert_eq!(cadence(0), "FFFFFFF");
        assert_eq!(cadence(1), "FPFPFPF");
        assert_eq!(cadence(2), "FPPFPPF");
    }

    /// IIQ-42
    #[test]
    fn an_old_full_capture_gets_no_more_patches() {
        let policy = PatchPolicy { max_allowed_patches: 100, capture_max_age_days: Some(30) };
        let thirty_days_ms = 2_592_000_000;
        assert_eq!(policy.mode(&head(), 100 + thirty_days_ms), TransformType::Patch);
        assert_eq!(policy.mode(&head(), 101 + thirty_days_ms), TransformType::Full);
        let without_limit = PatchPolicy { capture_max_age_days: None, ..policy };
        assert_eq!(without_limit.mode(&head(), 101 + thirty_days_ms), TransformType::Patch);
    }

    /// IIQ-42: what counts is when the full capture was read. A state that an initial run finds began long before.
    #[test]
    fn a_state_that_began_long_ago_is_patched_while_its_capture_is_young() {
        let policy = PatchPolicy { max_allowed_patches: 100, capture_max_age_days: Some(30) };
        let head = Head { effective_ms: -1_000 * DAY_MS, ..head() };
        assert_eq!(policy.mode(&head, 100 + DAY_MS), TransformType::Patch);
    }

    #[test]
    fn nothing_is_patched_onto_a_tombstone() {
        let policy = PatchPolicy { max_allowed_patches: 100, capture_max_age_days: Some(30) };
        assert_eq!(policy.mode(&tombstone(), 101), TransformType::Full);
    }

    proptest! {
        /// Whatever the source's clock says, captures of one object stand in the order in which they were read.
        #[test]
        fn effective_dates_rise_strictly(
            occurred in -1_000_i64..1_000, observed in -1_000_i64..1_000, effective in -1_000_i64..1_000,
            deleted: bool, gone: bool,
        ) {
            let head = Head { effective_ms: effective, deleted, ..head() };
            let state = hashes("B", "b");
            let facts =
                Facts { occurred_ms: occurred, observed_ms: observed, hashes: (!gone).then_some(&state) };
            if let Decision::Change { effective_ms } | Decision::Delete { effective_ms }
                | Decision::Recreate { effective_ms } = decide(Some(&head), facts).settle(false)
            {
                prop_assert!(effective_ms > effective);
            }
        }
    }
}
