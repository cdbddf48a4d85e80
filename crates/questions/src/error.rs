//! What can go wrong with a question.

/// A question that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The history could not be read.
    #[error(transparent)]
    History(#[from] annals_history::Error),
    /// An export could not be written.
    #[error("the export cannot be written")]
    Export(#[from] std::io::Error),
}

impl From<annals_sql::Error> for Error {
    fn from(error: annals_sql::Error) -> Self {
        Self::History(error.into())
    }
}
