//! Named timestamps: how far a task has read the source (IIQ-03, TRAP-13).

use annals_sql::{Stmt, Tx};

use crate::Result;

const GET: Stmt =
    Stmt::new("runs.timestamp_get", "select timestamp_ms from annals_named_timestamp where task = ?");
const SET: Stmt = Stmt::new(
    "runs.timestamp_set",
    "insert into annals_named_timestamp (task, timestamp_ms, updated, run_id) values (?, ?, {now_ms}, ?)
     on conflict (task) do update set timestamp_ms = excluded.timestamp_ms, updated = excluded.updated,
       run_id = excluded.run_id",
);
pub(crate) const STATEMENTS: &[Stmt] = &[GET, SET];

/// How far the task has read the source, epoch milliseconds of the source's clock; `None`: never.
///
/// # Errors
/// From the database.
pub async fn get(tx: &mut Tx, task: &str) -> Result<Option<i64>> {
    Ok(tx.fetch_optional(&GET, vec![task.into()]).await?.map(|row| row.int(0)).transpose()?.flatten())
}

/// Moves it.
///
/// # Errors
/// From the database.
pub async fn set(tx: &mut Tx, task: &str, timestamp_ms: i64, run_id: i64) -> Result<()> {
    tx.execute(&SET, vec![task.into(), timestamp_ms.into(), run_id.into()]).await?;
    Ok(())
}
