//! The database engines that tests run on.

use std::fmt;

/// Environment variable with the administrator's URL of the PostgreSQL server that tests use.
pub const POSTGRES_VARIABLE: &str = "ANNALS_TEST_POSTGRES";

/// Environment variable with the administrator's URL of the MariaDB server that tests use.
pub const MARIADB_VARIABLE: &str = "ANNALS_TEST_MARIADB";

/// A database engine to test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite: a file in a temporary directory.
    Sqlite,
    /// PostgreSQL: a database of the shared server.
    Postgres,
    /// MariaDB: a database of the shared server.
    MariaDb,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// The engines that history is kept on.
pub fn history_engines() -> [Engine; 2] {
    [Engine::Sqlite, Engine::Postgres]
}

/// The engines that identity systems are read from.
pub fn source_engines() -> [Engine; 3] {
    [Engine::Sqlite, Engine::Postgres, Engine::MariaDb]
}
