//! Tasks as the database knows them: their lock.

use annals_sql::{Stmt, Tx};

use crate::Result;

const ENSURE: Stmt = Stmt::new(
    "runs.task_ensure",
    "insert into annals_task (name, extract_configuration, created) values (?, ?, {now_ms})
     on conflict (name) do update set extract_configuration = excluded.extract_configuration",
);
/// A run that has ended holds nothing, whatever stands there.
const HOLDER: Stmt = Stmt::new(
    "runs.task_holder",
    "select r.id, case when coalesce(r.driver_until, 0) >= {now_ms} then 1 else 0 end
     from annals_task t join annals_run r on r.id = t.locked_by_run where t.name = ? and r.state <> 'ended'",
);
const HOLD: Stmt = Stmt::new("runs.task_hold", "update annals_task set name = name where name = ?");
const LOCK: Stmt = Stmt::new(
    "runs.task_lock",
    "update annals_task set locked_by_run = ?, locked_at = {now_ms}
     where name = ? and not exists
       (select 1 from annals_run r where r.id = annals_task.locked_by_run and r.state <> 'ended')",
);
const UNLOCK: Stmt = Stmt::new(
    "runs.task_unlock",
    "update annals_task set locked_by_run = null, locked_at = null where name = ? and locked_by_run = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[ENSURE, HOLDER, HOLD, LOCK, UNLOCK];

/// Who holds a task's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The run.
    pub run_id: i64,
    /// Whether somebody drives it; else it waits to be taken over.
    pub driven: bool,
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
    Ok(Some(Holder { run_id: row.required_int(0)?, driven: row.required_int(1)? == 1 }))
}

/// Takes the lock for a run; `false` if a run that has not ended holds it. How long ago anything was heard of that run
/// does not matter: one that nobody drives is taken over, not passed by.
///
/// # Errors
/// From the database.
pub async fn lock(tx: &mut Tx, task: &str, run_id: i64) -> Result<bool> {
    // Of two who want it the second waits here: whose run has ended is asked after the first has committed its own.
    tx.execute(&HOLD, vec![task.into()]).await?;
    Ok(tx.execute(&LOCK, vec![run_id.into(), task.into()]).await? == 1)
}

/// Gives the lock back.
///
/// # Errors
/// From the database.
pub async fn unlock(tx: &mut Tx, task: &str, run_id: i64) -> Result<()> {
    tx.execute(&UNLOCK, vec![task.into(), run_id.into()]).await?;
    Ok(())
}
