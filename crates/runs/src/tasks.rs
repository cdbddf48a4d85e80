//! Tasks as the database knows them: their lock.

use annals_sql::{Stmt, Tx, Value};

use crate::Result;

/// A lock that was not renewed for so long belongs to a run that is dead, milliseconds.
pub const LOCK_STALE_MS: i64 = 60_000;

const ENSURE: Stmt = Stmt::new(
    "runs.task_ensure",
    "insert into annals_task (name, extract_configuration, created) values (?, ?, {now_ms})
     on conflict (name) do update set extract_configuration = excluded.extract_configuration",
);
const HOLDER: Stmt = Stmt::new(
    "runs.task_holder",
    "select locked_by_run, {now_ms} - locked_at from annals_task where name = ?",
);
const LOCK: Stmt = Stmt::new(
    "runs.task_lock",
    "update annals_task set locked_by_run = ?, locked_at = {now_ms}
     where name = ? and (locked_by_run is null or locked_at < {now_ms} - ?)",
);
const RENEW: Stmt =
    Stmt::new("runs.task_renew", "update annals_task set locked_at = {now_ms} where locked_by_run = ?");
const UNLOCK: Stmt = Stmt::new(
    "runs.task_unlock",
    "update annals_task set locked_by_run = null, locked_at = null where name = ? and locked_by_run = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[ENSURE, HOLDER, LOCK, RENEW, UNLOCK];

/// Who holds a task's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The run.
    pub run_id: i64,
    /// How long ago it last renewed the lock, milliseconds.
    pub renewed_ago_ms: i64,
}

/// Makes the task known.
///
/// # Errors
/// From the database; a second task with the same extract configuration violates a unique key (IIQ-21).
pub async fn ensure(tx: &mut Tx, task: &str, extract_configuration: &str) -> Result<()> {
    tx.execute(&ENSURE, vec![task.into(), extract_configuration.into()]).await?;
    Ok(())
}

/// Who holds the lock now.
///
/// # Errors
/// From the database.
pub async fn holder(tx: &mut Tx, task: &str) -> Result<Option<Holder>> {
    let Some(row) = tx.fetch_optional(&HOLDER, vec![task.into()]).await? else { return Ok(None) };
    Ok(match (row.int(0)?, row.int(1)?) {
        (Some(run_id), renewed) => Some(Holder { run_id, renewed_ago_ms: renewed.unwrap_or(i64::MAX) }),
        _ => None,
    })
}

/// Takes the lock for a run; `false` if a living run holds it. A lock that was not renewed for `stale_ms` is taken over.
///
/// # Errors
/// From the database.
pub async fn lock(tx: &mut Tx, task: &str, run_id: i64, stale_ms: i64) -> Result<bool> {
    Ok(tx.execute(&LOCK, vec![run_id.into(), task.into(), stale_ms.into()]).await? == 1)
}

/// Says that the run which holds its task's lock is alive; `false` if it does not hold it.
///
/// # Errors
/// From the database.
pub async fn renew(tx: &mut Tx, run_id: i64) -> Result<bool> {
    Ok(tx.execute(&RENEW, vec![Value::from(run_id)]).await? == 1)
}

/// Gives the lock back.
///
/// # Errors
/// From the database.
pub async fn unlock(tx: &mut Tx, task: &str, run_id: i64) -> Result<()> {
    tx.execute(&UNLOCK, vec![task.into(), run_id.into()]).await?;
    Ok(())
}
