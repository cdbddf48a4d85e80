//! `annals source`: what concerns the identity system itself.

use annals_config::Config;

use crate::context::open_source;
use crate::exit::{Exit, Failure};
use crate::output::say;

/// Prints triggers for a system that does not note what it deletes; applying them is its owner's.
pub(crate) async fn delete_triggers(config: &Config) -> Result<Exit, Failure> {
    let source = open_source(config).await?;
    let ddl = source.delete_triggers().ok_or_else(|| {
        Failure::usage(
            format!("profile {} finds no deletions by a table that notes them", config.profile().name),
            "Give the profile `interceptedDeletes` and the types `deletions: intercepted`; with `sweep` no triggers are needed.",
        )
    })?;
    say(format_args!("{}", ddl.trim_end()))?;
    Ok(Exit::Ok)
}

/// Prints indexes for the search for what changed; applying them is the system's owner's.
pub(crate) async fn indexes(config: &Config) -> Result<Exit, Failure> {
    let source = open_source(config).await?;
    let ddl = source.change_indexes().ok_or_else(|| {
        Failure::usage(
            "the source database has no indexes on expressions",
            "Only PostgreSQL and SQLite are served; elsewhere each search reads the tables that it looks into.",
        )
    })?;
    say(format_args!("{}", ddl.trim_end()))?;
    Ok(Exit::Ok)
}
