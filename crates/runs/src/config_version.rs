//! The configuration that a run began with (TRAP-17).

use annals_sql::{Stmt, Tx};

use crate::Result;

const INSERT: Stmt = Stmt::new(
    "runs.config_insert",
    "insert into annals_config_version (created, content_hash, snapshot) values ({now_ms}, ?, ?)
     on conflict (content_hash) do nothing",
);
const SELECT: Stmt =
    Stmt::new("runs.config_select", "select id from annals_config_version where content_hash = ?");
const SNAPSHOT: Stmt =
    Stmt::new("runs.config_snapshot", "select snapshot from annals_config_version where id = ?");
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, SELECT, SNAPSHOT];

/// Keeps a full snapshot of the configuration in force; the same content has the same version.
///
/// # Errors
/// From the database.
pub async fn record(tx: &mut Tx, snapshot: &serde_json::Value) -> Result<i64> {
    let bytes = annals_model::canonical_bytes(snapshot);
    let hash = annals_model::hash_bytes(&bytes);
    tx.execute(&INSERT, vec![hash.as_str().into(), snapshot.to_string().into()]).await?;
    Ok(tx.fetch_one(&SELECT, vec![hash.into()]).await?.required_int(0)?)
}

/// The text of a snapshot.
///
/// # Errors
/// From the database; a version that is not there is `NotFound`.
pub async fn snapshot(tx: &mut Tx, version: i64) -> Result<String> {
    let row = tx.fetch_optional(&SNAPSHOT, vec![version.into()]).await?;
    let row = row.ok_or_else(|| crate::Error::NotFound(format!("configuration version {version}")))?;
    Ok(row.required_text(0)?.to_owned())
}
