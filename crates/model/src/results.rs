//! The thirteen results of a run: labels, display rules, invariants (IIQ-34, IIQ-35).

use crate::{Counters, ObjectFailure, Stage, TaskArguments};

/// One result as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownResult {
    /// What people read.
    pub label: &'static str,
    /// Its name in code, tables and JSON.
    pub variable: &'static str,
    /// The number.
    pub value: u64,
}

impl Counters {
    /// The results that are shown, in their order: the first always, `totalModifiedObjectMessages` only beside
    /// re-attempts, all others only above 0.
    #[must_use]
    pub fn shown(&self) -> Vec<ShownResult> {
        let reattempts = self.total_reattempt_object_messages > 0;
        [
            (
                "Number of Objects qualified for extract",
                "totalObjectMessages",
                self.total_object_messages,
                true,
            ),
            (
                "Number of Objects Qualified by Change",
                "totalModifiedObjectMessages",
                self.total_modified_object_messages,
                reattempts,
            ),
            above_zero(
                "Number of Objects Qualified by Re-attempt",
                "totalReattemptObjectMessages",
                self.total_reattempt_object_messages,
            ),
            above_zero(
                "Number of Deletion Objects",
                "totalDeletionExtractedObjects",
                self.total_deletion_extracted_objects,
            ),
            above_zero(
                "Deletion Objects Published",
                "totalDeletionExtractedObjectsDispatched",
                self.total_deletion_extracted_objects_dispatched,
            ),
            above_zero("Number of Objects Processed", "totalSeenObjects", self.total_seen_objects),
            above_zero("Number of Objects Unprocessed", "totalUnseenObjects", self.total_unseen_objects),
            above_zero(
                "Number of Objects Successfully Extracted",
                "totalExtractedObjects",
                self.total_extracted_objects,
            ),
            above_zero(
                "Number of Objects Not Found",
                "totalExtractedObjectsNotFound",
                self.total_extracted_objects_not_found,
            ),
            above_zero(
                "Number of Objects that Failed to Extract",
                "totalExtractedObjectsFailed",
                self.total_extracted_objects_failed,
            ),
            above_zero(
                "Number of Objects Successfully Published",
                "totalExtractedObjectsPublished",
                self.total_extracted_objects_published,
            ),
            above_zero(
                "Number of Objects that Failed to Publish",
                "totalPublishingFails",
                self.total_publishing_fails,
            ),
            above_zero("Number of Abandoned Re-attempts", "totalDroppedObjects", self.total_dropped_objects),
        ]
        .into_iter()
        .filter(|(_, _, _, shown)| *shown)
        .map(|(label, variable, value, _)| ShownResult { label, variable, value })
        .collect()
    }

    /// Adds what a partition has counted: everything but what the dispatcher counts itself.
    pub fn add_partition(&mut self, partition: &Self) {
        self.total_deletion_extracted_objects_dispatched +=
            partition.total_deletion_extracted_objects_dispatched;
        self.total_seen_objects += partition.total_seen_objects;
        self.total_extracted_objects += partition.total_extracted_objects;
        self.total_extracted_objects_not_found += partition.total_extracted_objects_not_found;
        self.total_extracted_objects_failed += partition.total_extracted_objects_failed;
        self.total_extracted_objects_published += partition.total_extracted_objects_published;
        self.total_publishing_fails += partition.total_publishing_fails;
    }

    /// The invariants that do not hold (IIQ-35), as sentences; none in a sound run.
    #[must_use]
    pub fn violated_invariants(&self) -> Vec<String> {
        let equal = |left: &str, left_value: u64, right: &str, right_value: u64| {
            (left_value != right_value).then(|| {
                format!("counters do not add up: {left} = {left_value}, but {right} = {right_value}")
            })
        };
        [
            equal(
                "totalObjectMessages",
                self.total_object_messages,
                "totalModifiedObjectMessages + totalReattemptObjectMessages",
                self.total_modified_object_messages + self.total_reattempt_object_messages,
            ),
            equal(
                "totalObjectMessages",
                self.total_object_messages,
                "totalSeenObjects + totalUnseenObjects",
                self.total_seen_objects + self.total_unseen_objects,
            ),
            equal(
                "totalSeenObjects",
                self.total_seen_objects,
                "totalExtractedObjects + totalExtractedObjectsNotFound + totalExtractedObjectsFailed",
                self.total_extracted_objects
                    + self.total_extracted_objects_not_found
                    + self.total_extracted_objects_failed,
            ),
            equal(
                "totalExtractedObjects",
                self.total_extracted_objects,
                "totalExtractedObjectsPublished + totalPublishingFails",
                self.total_extracted_objects_published + self.total_publishing_fails,
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn above_zero(
    label: &'static str,
    variable: &'static str,
    value: u64,
) -> (&'static str, &'static str, u64, bool) {
    (label, variable, value, value > 0)
}

/// Whether newly failed objects pass the thresholds of a task (IIQ-27): *more than* a limit breaches it.
#[must_use]
pub fn thresholds_breached(newly_failed: u64, qualified: u64, arguments: &TaskArguments) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of objects stay far below 2^52")]
    let percent_breached = newly_failed as f64 * 100.0 > arguments.max_failures_percent * qualified as f64;
    newly_failed > u64::from(arguments.max_failures_absolute) || percent_breached
}

/// What becomes of a task's list of failed objects after a run (IIQ-26, IIQ-55).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled<F> {
    /// The new list: object and how often it has failed.
    pub kept: Vec<(F, u32)>,
    /// Objects given up.
    pub dropped: u64,
}

/// Settles one run: `failures` failed in it; `attempts_before` says how often an object had failed before.
#[must_use]
pub fn settle_failures(
    failures: &[ObjectFailure],
    attempts_before: impl Fn(&ObjectFailure) -> u32,
    max_object_attempts: u32,
) -> Settled<&ObjectFailure> {
    let mut settled = Settled { kept: Vec::new(), dropped: 0 };
    for failure in failures {
        let attempts = attempts_before(failure).saturating_add(1);
        // Nothing but a word from people takes an object out of quarantine.
        if attempts < max_object_attempts || failure.stage == Stage::Quarantine {
            settled.kept.push((failure, attempts));
        } else {
            settled.dropped += 1;
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectType;

    fn labels(counters: &Counters) -> Vec<(&'static str, u64)> {
        counters.shown().into_iter().map(|shown| (shown.variable, shown.value)).collect()
    }

    /// IIQ-34: the first result is shown always, the others by their rule.
    #[test]
    fn an_empty_run_shows_one_result() {
        assert_eq!(labels(&Counters::default()), [("totalObjectMessages", 0)]);
    }

    /// IIQ-34: qualified by change is shown beside re-attempts only.
    #[test]
    fn results_follow_their_display_rules() {
        let mut counters = Counters {
            total_object_messages: 12,
            total_modified_object_messages: 12,
            total_seen_objects: 12,
            total_extracted_objects: 12,
            total_extracted_objects_published: 12,
            ..Counters::default()
        };
        assert_eq!(
            labels(&counters),
            [
                ("totalObjectMessages", 12),
                ("totalSeenObjects", 12),
                ("totalExtractedObjects", 12),
                ("totalExtractedObjectsPublished", 12)
            ]
        );
        counters.total_reattempt_object_messages = 1;
        counters.total_dropped_objects = 2;
        let shown = labels(&counters);
        assert_eq!(shown[1..3], [("totalModifiedObjectMessages", 12), ("totalReattemptObjectMessages", 1)]);
        assert_eq!(shown.last(), Some(&("totalDroppedObjects", 2)));
    }

    /// IIQ-34: thirteen results, each with its label of the reference's table.
    #[test]
    fn all_thirteen_results_have_their_labels() {
        let one = serde_json::from_value::<Counters>(
            serde_json::to_value(Counters::default())
                .expect("counters are JSON")
                .as_object()
                .expect("an object")
                .keys()
                .map(|key| (key.clone(), serde_json::Value::from(1)))
                .collect(),
        )
        .expect("counters");
        let labels: Vec<_> = one.shown().into_iter().map(|shown| shown.label).collect();
        assert_eq!(
            labels,
            [
                "Number of Objects qualified for extract",
                "Number of Objects Qualified by Change",
                "Number of Objects Qualified by Re-attempt",
                "Number of Deletion Objects",
                "Deletion Objects Published",
                "Number of Objects Processed",
                "Number of Objects Unprocessed",
                "Number of Objects Successfully Extracted",
                "Number of Objects Not Found",
                "Number of Objects that Failed to Extract",
                "Number of Objects Successfully Published",
                "Number of Objects that Failed to Publish",
                "Number of Abandoned Re-attempts",
            ]
        );
    }

    /// IIQ-35.
    #[test]
    fn each_invariant_is_checked() {
        let sound = Counters {
            total_object_messages: 10,
            total_modified_object_messages: 8,
            total_reattempt_object_messages: 2,
            total_seen_objects: 9,
            total_unseen_objects: 1,
            total_extracted_objects: 6,
            total_extracted_objects_not_found: 1,
            total_extracted_objects_failed: 2,
            total_extracted_objects_published: 5,
            total_publishing_fails: 1,
            ..Counters::default()
        };
        assert!(sound.violated_invariants().is_empty());
        let broken = [
            Counters { total_reattempt_object_messages: 3, ..sound },
            Counters { total_unseen_objects: 0, ..sound },
            Counters { total_extracted_objects_failed: 3, ..sound },
            Counters { total_publishing_fails: 0, ..sound },
        ];
        for counters in broken {
            assert_eq!(counters.violated_invariants().len(), 1, "{counters:?}");
        }
    }

    /// IIQ-27: 500 passes, 501 fails; 5.00 % passes, above fails.
    #[test]
    fn more_than_a_threshold_breaches_it() {
        let arguments = TaskArguments::default();
        assert!(!thresholds_breached(500, 1_000_000, &arguments));
        assert!(thresholds_breached(501, 1_000_000, &arguments));
        assert!(!thresholds_breached(5, 100, &arguments));
        assert!(thresholds_breached(6, 100, &arguments));
        assert!(!thresholds_breached(0, 0, &arguments));
    }

    /// IIQ-26: tried again while it has failed fewer than five times; dropped with the fifth failure.
    #[test]
    fn the_fifth_failure_drops_an_object() {
        let failure = |id: &str| ObjectFailure {
            object_type: ObjectType::Role,
            object_id: id.to_owned(),
            stage: Stage::Load,
            error: "x".to_owned(),
        };
        let failures = [failure("new"), failure("fourth"), failure("fifth")];
        let before = |failure: &ObjectFailure| match failure.object_id.as_str() {
            "fourth" => 3,
            "fifth" => 4,
            _ => 0,
        };
        let settled = settle_failures(&failures, before, 5);
        assert_eq!(settled.kept, [(&failures[0], 1), (&failures[1], 4)]);
        assert_eq!(settled.dropped, 1);
        let apart = [ObjectFailure { stage: Stage::Quarantine, ..failure("fifth") }];
        assert_eq!(settle_failures(&apart, before, 5), Settled { kept: vec![(&apart[0], 5)], dropped: 0 });
    }
}
