//! `annals migrate`.

use annals_config::Config;
use annals_config::service::HistoryIndexes;
use annals_sql::{Access, Db};
use anyhow::Context as _;
use serde_json::json;

use crate::cli::{Global, MigrateArgs};
use crate::commands::doctor::same_instance;
use crate::exit::{Exit, Failure};
use crate::output::Listing;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &MigrateArgs,
) -> Result<Exit, Failure> {
    let db = Db::open(&config.service.history.url, Access::ReadWrite)
        .await
        .context("opening the history database")?;
    let migrations = annals_history::migrations(db.engine());
    let mut listing = Listing::new(&["version", "name", "state"]);
    let before = db.applied_migrations().await?;
    let newly = if arguments.dry_run { Vec::new() } else { apply(config, &db).await? };
    for migration in migrations {
        let is = |applied: &annals_sql::AppliedMigration| applied.version == migration.version;
        let state = if newly.iter().any(is) {
            "applied now"
        } else if before.iter().any(is) {
            "applied before"
        } else {
            "to be applied"
        };
        listing.push(vec![json!(migration.version), json!(migration.name), json!(state)]);
    }
    listing.print(global.output)?;
    if same_instance(&config.service.source.url, &config.service.history.url) {
        eprintln!(
            "warning: source and history are on one database server; use a separate one in production."
        );
    }
    Ok(Exit::Ok)
}

/// Brings a history database up to date, its indexes as configured.
pub(crate) async fn apply(config: &Config, db: &Db) -> Result<Vec<annals_sql::AppliedMigration>, Failure> {
    let applied = db.migrate(annals_history::migrations(db.engine())).await?;
    if config.service.history.indexes == HistoryIndexes::Reference {
        let mut tx = db.begin().await?;
        annals_history::create_reference_indexes(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(applied)
}
