//! The banners that come from a run's failures, word for word (IIQ-52 to IIQ-54).

/// IIQ-52: objects of a partition failed.
pub(crate) fn partition_failures(partition: i32) -> String {
    format!(
        "The processor of partition {partition} had failures. The list of failed objects is written to the task's NamedTimestamp object."
    )
}

/// IIQ-53: more newly failed objects than a threshold allows.
pub(crate) const THRESHOLD_BREACHED: &str = "The task will fail with an error, and the NamedTimestamp will not be updated (neither the date nor the list of failures).";

/// IIQ-54: failures below the thresholds.
pub(crate) const BELOW_THRESHOLD: &str =
    "The NamedTimestamp will be updated with both the date and the list of failed objects.";

/// Objects are set apart because workers died while they worked on them.
pub(crate) fn in_quarantine(objects: usize) -> String {
    format!(
        "Objects in quarantine: {objects}. They are not read until `annals failures retry`; `annals failures list --stage quarantine` names them."
    )
}

/// IIQ-51: a deletion that the identity system noted could not be read or published.
pub(crate) const ROW_REMAINS: &str = "The row in the spt_intercepted_delete table remains in the database and will be retried during the next run. There is no limit to the number of attempts made for processing an InterceptedDelete row.";

/// The reconcile sweep found something.
pub(crate) fn reconciled(slipped: u64, gone: u64) -> String {
    format!(
        "Reconciliation: {slipped} objects had slipped by, {gone} are gone from the source without a note."
    )
}
