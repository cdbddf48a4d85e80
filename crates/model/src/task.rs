//! The seven arguments of a task.

use serde::{Deserialize, Serialize};

/// Arguments of "Dispatch Access History" (IIQ-25 to IIQ-30), named as IdentityIQ names them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskArguments {
    /// A partition's state is saved each time another so many objects are done (IIQ-25).
    pub loss_limit: u32,
    /// An object that failed is tried again while it has failed fewer times than this (IIQ-26).
    pub max_object_attempts: u32,
    /// More newly failed objects than this end the run in error (IIQ-27).
    pub max_failures_absolute: u32,
    /// The same in percent of the qualified objects (IIQ-27).
    pub max_failures_percent: f64,
    /// Hint for the least number of partitions (IIQ-28).
    pub min_extract_partitions: u32,
    /// Hint for the greatest number of partitions (IIQ-29).
    pub max_extract_partitions: u32,
    /// The most objects that one partition gets (IIQ-30).
    pub max_objects_per_extract_partition: u32,
}

impl Default for TaskArguments {
    fn default() -> Self {
        Self {
            loss_limit: 2_500,
            max_object_attempts: 5,
            max_failures_absolute: 500,
            max_failures_percent: 5.0,
            min_extract_partitions: 5,
            max_extract_partitions: 50,
            max_objects_per_extract_partition: 50_000,
        }
    }
}
