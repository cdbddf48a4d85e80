//! Tasks (`tasks/*.yaml`).

use annals_model::{Schedule, TaskArguments};

/// The extract configuration of a task that names none (IIQ-21).
pub const EXTRACT_DEFAULT: &str = "AccessHistoryExportConfig";

/// A named, configured job (IIQ-20, IIQ-21).
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Unique name, e.g. `Dispatch Access History`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// When it runs; `None`: on request only.
    pub schedule: Option<Schedule>,
    /// When source and history are compared, in a run of its own; `None`: on request only.
    pub reconcile: Option<Schedule>,
    /// Name of the extract configuration; default `AccessHistoryExportConfig`.
    pub extract_configuration: String,
    /// The seven arguments.
    pub arguments: TaskArguments,
}

/// What a task does by a schedule of its own, under a name of its own in the schedule ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed<'t> {
    /// The task.
    pub task: &'t Task,
    /// Its reconcile sweep; else the task itself.
    pub sweeps: bool,
}

impl<'t> Timed<'t> {
    /// Under which the ledger has it.
    #[must_use]
    pub fn name(&self) -> String {
        if self.sweeps { self.task.sweep_name() } else { self.task.name.clone() }
    }

    /// Its schedule; `None`: on request only.
    #[must_use]
    pub fn schedule(&self) -> Option<&'t Schedule> {
        if self.sweeps { self.task.reconcile.as_ref() } else { self.task.schedule.as_ref() }
    }
}

impl Task {
    /// Under which the schedule ledger has its reconcile sweep.
    #[must_use]
    pub fn sweep_name(&self) -> String {
        format!("{} (reconcile)", self.name)
    }

    /// What it does by schedules: the task itself, and its reconcile sweep where that has one.
    pub fn timed(&self) -> impl Iterator<Item = Timed<'_>> {
        let sweep = self.reconcile.as_ref().map(|_| Timed { task: self, sweeps: true });
        [Timed { task: self, sweeps: false }].into_iter().chain(sweep)
    }
}
