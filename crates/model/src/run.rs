//! Runs: counters, statuses and what a partition saves.

use serde::{Deserialize, Serialize};

use crate::ObjectType;

/// Status of a run, as IdentityIQ's task results have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Everything worked.
    Success,
    /// It ended, and something wants attention.
    Warning,
    /// It failed; the named timestamp has not moved.
    Error,
    /// It was stopped.
    Terminated,
}

impl TaskStatus {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Terminated => "terminated",
        }
    }
}

/// The thirteen results of a run, by their variable names (IIQ-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Qualified for extract: modified plus re-attempted.
    pub total_object_messages: u64,
    /// Qualified by change.
    pub total_modified_object_messages: u64,
    /// Qualified by re-attempt.
    pub total_reattempt_object_messages: u64,
    /// Deletion objects.
    pub total_deletion_extracted_objects: u64,
    /// Deletion objects published.
    pub total_deletion_extracted_objects_dispatched: u64,
    /// Attempted, whatever came of it.
    pub total_seen_objects: u64,
    /// Left over by partitions that ended early.
    pub total_unseen_objects: u64,
    /// Extracted.
    pub total_extracted_objects: u64,
    /// Not in the source any more at extraction.
    pub total_extracted_objects_not_found: u64,
    /// Failed to be loaded or transformed.
    pub total_extracted_objects_failed: u64,
    /// Published.
    pub total_extracted_objects_published: u64,
    /// Failed to be published.
    pub total_publishing_fails: u64,
    /// Past their re-attempt limit.
    pub total_dropped_objects: u64,
}

/// What a partition has saved last: the next owner goes on after `chunks_done` (IIQ-08, IIQ-25).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestState {
    /// Chunks of the partition that are done, from its first one on.
    pub chunks_done: u32,
    /// Sums over those chunks: seen, extracted, not found, failed, published, deletions.
    pub counters: Counters,
    /// Objects of the last chunk that failed; kept apart by the writer, so that a state does not grow with its
    /// partition (TRAP-14).
    #[serde(skip)]
    pub failures: Vec<ObjectFailure>,
}

/// An object that could not be extracted or published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFailure {
    /// Object type.
    pub object_type: ObjectType,
    /// Id.
    pub object_id: String,
    /// Where it failed.
    pub stage: Stage,
    /// What went wrong, without captured values.
    pub error: String,
}

/// Where an object failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// While it was loaded from the source.
    Load,
    /// While its image was made.
    Transform,
    /// On the way to the writer.
    Publish,
    /// In the writer.
    Write,
    /// Set apart: too many workers died while they worked on it.
    Quarantine,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Load, Self::Transform, Self::Publish, Self::Write, Self::Quarantine];

    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Transform => "transform",
            Self::Publish => "publish",
            Self::Write => "write",
            Self::Quarantine => "quarantine",
        }
    }
}
