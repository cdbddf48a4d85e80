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
    /// Nothing is known by this name.
    #[error("nothing that anybody can have access to is known as `{0}`")]
    NoItem(String),
    /// Several things are known by this name.
    #[error(
        "`{name}` is the name of several: {}{}",
        candidates.join(", "),
        if *more > 0 { format!(" and {more} more") } else { String::new() }
    )]
    AmbiguousItem {
        /// The name.
        name: String,
        /// How to name each.
        candidates: Vec<String>,
        /// How many there are besides.
        more: usize,
    },
    /// A span of time that ends before it begins.
    #[error("the span has no instant in it: it ends before it begins")]
    EmptySpan,
    /// Throughout a span without a beginning nobody holds anything.
    #[error("`all` is asked of a span with a beginning")]
    NoBeginning,
    /// More paths than can be told.
    #[error("more than 10,000 paths of roles and groups lead to it")]
    TooManyPaths,
}

impl From<annals_sql::Error> for Error {
    fn from(error: annals_sql::Error) -> Self {
        Self::History(error.into())
    }
}
