//! What can go wrong while a world is made or a day passes in it.

/// An error of the generator.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The database refused something.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: annals_sql::Error,
    },
    /// The database holds no world.
    #[error("the database has no table annals_world: it holds no generated world")]
    NoWorld,
    /// The database holds tables of a world or of an identity system already.
    #[error("the database already has a table {table}: a world is made in an empty database only")]
    NotEmpty {
        /// One of those tables.
        table: String,
    },
    /// A row names a column that the schema does not have: an error in the generator.
    #[error("table {table} has no column {column}")]
    UnknownColumn {
        /// Table.
        table: &'static str,
        /// Column.
        column: String,
    },
    /// A value does not fit its column: an error in the generator.
    #[error("{table}.{column} takes {length} characters, and a value has {found}")]
    TooLong {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Characters that fit.
        length: usize,
        /// Characters of the value.
        found: usize,
    },
    /// A value is of another kind than its column: an error in the generator.
    #[error("{table}.{column} is given a value of another kind")]
    WrongKind {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// The state kept in `annals_world` cannot be read.
    #[error("the state of the world in annals_world cannot be read")]
    State(#[source] serde_json::Error),
    /// The options make no world.
    #[error("a world needs at least {least} identities, not {found}")]
    TooSmall {
        /// Fewest identities.
        least: u32,
        /// Identities asked for.
        found: u32,
    },
    /// The database holds something that the generator did not leave there.
    #[error("{table} {id}: {what}")]
    Unexpected {
        /// Table.
        table: &'static str,
        /// Id of the row.
        id: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// Result of the generator.
pub type Result<T> = std::result::Result<T, WorldError>;

/// Names what was being done when the database refused.
pub(crate) trait Doing<T> {
    /// Wraps the error.
    fn doing(self, doing: &'static str) -> Result<T>;
}

impl<T> Doing<T> for annals_sql::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| WorldError::Database { doing, source })
    }
}
