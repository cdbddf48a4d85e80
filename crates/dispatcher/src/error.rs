//! What can go wrong in the dispatcher.

/// A failed step of a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control tables.
    #[error("run control tables")]
    Runs(#[from] annals_runs::Error),
    /// The history database.
    #[error("history database")]
    History(#[from] annals_history::Error),
    /// The identity system could not be read.
    #[error("reading the source")]
    Source(#[from] annals_source::Error),
    /// The source is a replica, and `source.replica` refuses one (BRV-14); why that matters.
    #[error("{0}")]
    NotPrimary(String),
    /// The fire that a run was to be begun for was started elsewhere, or the task is being executed.
    #[error("the fire was started elsewhere, or the task is being executed")]
    FireTaken,
}

impl From<annals_sql::Error> for Error {
    fn from(error: annals_sql::Error) -> Self {
        Self::Runs(error.into())
    }
}
