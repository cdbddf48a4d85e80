//! What can go wrong in a database call, classed by what to do about it.

/// Class of a failure: decides whether a call is worth repeating and what the operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The server cannot be reached or closed the connection: try again later.
    Unreachable,
    /// User name, password or right refused.
    Denied,
    /// A lock, deadlock or serialisation conflict: the same transaction may succeed when repeated.
    Conflict,
    /// A unique, foreign key, not-null or check constraint.
    Constraint,
    /// A table or column that is not there.
    Missing,
    /// A value that the engine or the column cannot hold, or a result of another type than expected.
    Data,
    /// The server stopped the statement at its time limit.
    Timeout,
    /// A migration that cannot be applied.
    Migration,
    /// A malformed URL or an engine that is not supported for this use.
    Configuration,
    /// Anything else.
    Other,
}

/// A failed database call. Never holds a parameter's value.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Error {
    /// What was being done: the statement's name, `connect`, `begin` ...
    doing: String,
    kind: ErrorKind,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(doing: impl Into<String>, kind: ErrorKind) -> Self {
        Self { doing: doing.into(), kind, source: None }
    }

    /// A value that does not fit its column, for crates that decode rows; names table, column and row.
    #[must_use]
    pub fn data(what: impl Into<String>) -> Self {
        Self::new(what, ErrorKind::Data)
    }

    /// A table or column that is not there.
    #[must_use]
    pub fn missing(what: impl Into<String>) -> Self {
        Self::new(what, ErrorKind::Missing)
    }

    pub(crate) fn from_sqlx(doing: &str, error: sqlx::Error) -> Self {
        let kind = classify(&error);
        Self { doing: doing.to_owned(), kind, source: Some(Box::new(error)) }
    }

    /// Its class.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

fn classify(error: &sqlx::Error) -> ErrorKind {
    match error {
        // A connection that ends in the middle of an answer, or before its first byte, is no answer by the protocol.
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => ErrorKind::Unreachable,
        sqlx::Error::Configuration(_) => ErrorKind::Configuration,
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => ErrorKind::Missing,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => ErrorKind::Data,
        sqlx::Error::Migrate(_) => ErrorKind::Migration,
        sqlx::Error::Database(database) => classify_database(database.as_ref()),
        _ => ErrorKind::Other,
    }
}

fn classify_database(error: &dyn sqlx::error::DatabaseError) -> ErrorKind {
    if error.is_unique_violation()
        || error.is_foreign_key_violation()
        || error.is_check_violation()
        || error.kind() == sqlx::error::ErrorKind::NotNullViolation
    {
        return ErrorKind::Constraint;
    }
    let message = error.message();
    if let Some(sqlite) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        use sqlx::error::DatabaseError as _;
        return match sqlite
            .code()
            .as_deref()
            .and_then(|code| code.parse::<i32>().ok())
            .map(|code| code & 0xff)
        {
            Some(5 | 6) => ErrorKind::Conflict,
            Some(10 | 11 | 14 | 26) => ErrorKind::Unreachable,
            Some(3 | 8 | 23) => ErrorKind::Denied,
            _ if message.starts_with("no such table") || message.starts_with("no such column") => {
                ErrorKind::Missing
            }
            _ => ErrorKind::Other,
        };
    }
    if let Some(mysql) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return match mysql.number() {
            1040 | 1053 | 1927 | 2006 | 2013 => ErrorKind::Unreachable,
            1044 | 1045 | 1142 | 1143 | 1227 | 1698 => ErrorKind::Denied,
            1205 | 1213 => ErrorKind::Conflict,
            1049 | 1054 | 1146 => ErrorKind::Missing,
            1264 | 1366 | 1406 => ErrorKind::Data,
            1969 | 3024 => ErrorKind::Timeout,
            _ => ErrorKind::Other,
        };
    }
    match error.code().as_deref() {
        Some("57014") => ErrorKind::Timeout,
        Some("42P01" | "42703" | "3D000" | "3F000") => ErrorKind::Missing,
        Some("42501") => ErrorKind::Denied,
        Some("40001" | "40P01" | "55P03") => ErrorKind::Conflict,
        Some(code) => match &code[..2.min(code.len())] {
            "08" | "57" | "53" => ErrorKind::Unreachable,
            "28" => ErrorKind::Denied,
            "22" => ErrorKind::Data,
            "23" => ErrorKind::Constraint,
            _ => ErrorKind::Other,
        },
        None => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a proxy whose database is away does: it accepts the connection and closes it.
    #[test]
    fn a_connection_that_ends_before_it_answers_is_a_database_that_is_away() {
        let error = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert_eq!(classify(&error), ErrorKind::Unreachable);
    }
}
