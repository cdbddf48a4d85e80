//! Tasks (`tasks/*.yaml`).

use annals_model::{Schedule, TaskArguments};

/// A named, configured job (IIQ-20, IIQ-21).
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Unique name, e.g. `Dispatch Access History`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// When it runs; `None`: on request only.
    pub schedule: Option<Schedule>,
    /// Name of the extract configuration; default `AccessHistoryExportConfig`.
    pub extract_configuration: String,
    /// The seven arguments.
    pub arguments: TaskArguments,
}
