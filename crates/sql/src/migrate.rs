//! Migrations: forward only, each checked against what was applied.

use std::borrow::Cow;

use sqlx::migrate::{MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::db::Pooled;
use crate::{Db, Error, ErrorKind, Result, Stmt};

/// A migration: its number, a word for people, its SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Number; they are applied in its order.
    pub version: i64,
    /// What it is for.
    pub name: &'static str,
    /// The script.
    pub sql: &'static str,
}

/// A migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Number.
    pub version: i64,
    /// What it was for.
    pub name: String,
}

const APPLIED: Stmt =
    Stmt::new("sql.migrations", "select version, description from annals_migration order by version");

impl Db {
    /// Applies those migrations that were not applied yet; refuses when an applied one has changed.
    ///
    /// # Errors
    /// `Migration` for a changed or unknown applied migration; else from the engine.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<AppliedMigration>> {
        let before = self.applied_migrations().await?;
        let mut migrator = Migrator::with_migrations(
            migrations
                .iter()
                .map(|migration| {
                    sqlx::migrate::Migration::new(
                        migration.version,
                        Cow::Borrowed(migration.name),
                        MigrationType::Simple,
                        AssertSqlSafe(migration.sql).into_sql_str(),
                        false,
                    )
                })
                .collect(),
        );
        migrator.dangerous_set_table_name("annals_migration");
        let outcome = match self.pooled() {
            Pooled::Sqlite(pool) => migrator.run(pool).await,
            Pooled::Postgres(pool) => migrator.run(pool).await,
            Pooled::ReadOnly | Pooled::MySql => {
                return Err(Error::new(
                    "migrate: the history database must be SQLite or PostgreSQL, opened for writing",
                    ErrorKind::Configuration,
                ));
            }
        };
        outcome.map_err(|error| Error::from_sqlx("migrate", sqlx::Error::Migrate(Box::new(error))))?;
        let after = self.applied_migrations().await?;
        Ok(after.into_iter().filter(|migration| !before.contains(migration)).collect())
    }

    /// The migrations that were applied, in order; none if there never were any.
    ///
    /// # Errors
    /// As any call.
    pub async fn applied_migrations(&self) -> Result<Vec<AppliedMigration>> {
        let mut tx = self.begin_read().await?;
        if !tx.catalog(&["annals_migration".to_owned()]).await?.contains_key("annals_migration") {
            return Ok(Vec::new());
        }
        let rows = tx.fetch_all(&APPLIED, Vec::new()).await?;
        rows.iter()
            .map(|row| {
                Ok(AppliedMigration { version: row.required_int(0)?, name: row.required_text(1)?.to_owned() })
            })
            .collect()
    }
}
