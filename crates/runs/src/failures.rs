//! Objects that failed: in a run, and on the list of a task until they succeed or are given up (IIQ-26, IIQ-55).

use annals_model::{ObjectFailure, ObjectType, PartitionLease, Stage};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx};

use crate::text::storable;
use crate::{Error, Result};

const OF_RUN: Stmt = Stmt::new(
    "runs.failures_of_run",
    "select object_type, object_id, stage, error from annals_run_failure where run_id = ?
     order by object_type, object_id",
);
const OF_TASK: Stmt = Stmt::new(
    "runs.failures_of_task",
    "select object_type, object_id, attempts, stage, error, first_failed, last_failed, run_id, retried
     from annals_failed_object where task = ? order by object_type, object_id",
);
const PARTITIONS: Stmt = Stmt::new(
    "runs.failures_partitions",
    "select distinct partition_no from annals_run_failure where run_id = ? order by partition_no",
);
const CLEAR: Stmt = Stmt::new("runs.failures_clear", "delete from annals_failed_object where task = ?");
const NEWLY_FAILED: Stmt = Stmt::new(
    "runs.failures_newly",
    "select count(*) from annals_run_failure f where f.run_id = ? and not exists
       (select 1 from annals_failed_object b where b.task = (select task from annals_run where id = f.run_id)
          and b.object_type = f.object_type and b.object_id = f.object_id)",
);
const RETRY: Stmt = Stmt::new(
    "runs.failures_retry",
    "update annals_failed_object set attempts = 0, retried = {now_ms}, stage = case stage when 'quarantine' then 'load' else stage end
     where task = ? and object_type = ? and object_id {in}",
);
const DROP: Stmt = Stmt::new(
    "runs.failures_drop",
    "delete from annals_failed_object where task = ? and object_type = ? and object_id {in}",
);
pub(crate) const STATEMENTS: &[Stmt] = &[OF_RUN, OF_TASK, PARTITIONS, CLEAR, NEWLY_FAILED, RETRY, DROP];

/// An object on a task's list of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedObject {
    /// What failed, and how, the last time.
    pub failure: ObjectFailure,
    /// How often it has failed.
    pub attempts: u32,
    /// Epoch milliseconds.
    pub first_failed_ms: i64,
    /// Epoch milliseconds.
    pub last_failed_ms: i64,
    /// The run in which it failed last.
    pub run_id: i64,
    /// When somebody last gave it all its attempts again, epoch milliseconds of the history database's clock: a run that
    /// had begun before may have left it out.
    pub retried_ms: Option<i64>,
}

/// Notes what failed in a run; failing again in the same run (a chunk done over) is one failure.
///
/// # Errors
/// From the database.
pub async fn record(tx: &mut Tx, lease: &PartitionLease, failures: &[ObjectFailure]) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    // One statement must not touch a row twice.
    let mut last: std::collections::BTreeMap<(ObjectType, &str), &ObjectFailure> =
        std::collections::BTreeMap::new();
    for failure in failures {
        last.insert((failure.object_type, &failure.object_id), failure);
    }
    let failures: Vec<&ObjectFailure> = last.into_values().collect();
    let n = failures.len();
    let text = |value: &dyn Fn(&ObjectFailure) -> &str| {
        ColumnData::Text(failures.iter().map(|f| Some(storable(value(f)))).collect())
    };
    let batch = Batch::new(vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(lease.run_id); n]) },
        Column { name: "object_type", data: text(&|f| f.object_type.as_str()) },
        Column { name: "object_id", data: text(&|f| &f.object_id) },
        Column { name: "partition_no", data: ColumnData::Int(vec![Some(lease.partition.into()); n]) },
        Column { name: "stage", data: text(&|f| f.stage.as_str()) },
        Column { name: "error", data: text(&|f| &f.error) },
    ]);
    let key = &["run_id", "object_type", "object_id"];
    Ok(tx.insert("annals_run_failure", batch, OnConflict::Replace { key }).await?)
}

/// What failed in a run.
///
/// # Errors
/// From the database.
pub async fn of_run(tx: &mut Tx, run_id: i64) -> Result<Vec<ObjectFailure>> {
    tx.fetch_all(&OF_RUN, vec![run_id.into()])
        .await?
        .iter()
        .map(|row| read(row, "annals_run_failure", 2))
        .collect()
}

/// The partitions of a run in which objects failed.
///
/// # Errors
/// From the database.
pub async fn partitions_of_run(tx: &mut Tx, run_id: i64) -> Result<Vec<i32>> {
    let rows = tx.fetch_all(&PARTITIONS, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            i32::try_from(row.required_int(0)?)
                .map_err(|_| Error::unreadable("annals_run_failure", "partition_no"))
        })
        .collect()
}

/// The list of a task.
///
/// # Errors
/// From the database.
pub async fn of_task(tx: &mut Tx, task: &str) -> Result<Vec<FailedObject>> {
    let rows = tx.fetch_all(&OF_TASK, vec![task.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(FailedObject {
                failure: read(row, "annals_failed_object", 3)?,
                attempts: u32::try_from(row.required_int(2)?)
                    .map_err(|_| Error::unreadable("annals_failed_object", "attempts"))?,
                first_failed_ms: row.required_int(5)?,
                last_failed_ms: row.required_int(6)?,
                run_id: row.required_int(7)?,
                retried_ms: row.int(8)?,
            })
        })
        .collect()
}

/// Makes this the list of a task.
///
/// # Errors
/// From the database.
pub async fn replace(tx: &mut Tx, task: &str, failed: &[FailedObject]) -> Result<()> {
    tx.execute(&CLEAR, vec![task.into()]).await?;
    let n = failed.len();
    let text = |value: &dyn Fn(&FailedObject) -> &str| {
        ColumnData::Text(failed.iter().map(|f| Some(storable(value(f)))).collect())
    };
    let int = |value: &dyn Fn(&FailedObject) -> i64| {
        ColumnData::Int(failed.iter().map(|f| Some(value(f))).collect())
    };
    let batch = Batch::new(vec![
        Column { name: "task", data: ColumnData::Text(vec![Some(task.to_owned()); n]) },
        Column { name: "object_type", data: text(&|f| f.failure.object_type.as_str()) },
        Column { name: "object_id", data: text(&|f| &f.failure.object_id) },
        Column { name: "attempts", data: int(&|f| f.attempts.into()) },
        Column { name: "stage", data: text(&|f| f.failure.stage.as_str()) },
        Column { name: "error", data: text(&|f| &f.failure.error) },
        Column { name: "first_failed", data: int(&|f| f.first_failed_ms) },
        Column { name: "last_failed", data: int(&|f| f.last_failed_ms) },
        Column { name: "run_id", data: int(&|f| f.run_id) },
        Column { name: "retried", data: ColumnData::Int(failed.iter().map(|f| f.retried_ms).collect()) },
    ]);
    Ok(tx.insert("annals_failed_object", batch, OnConflict::Fail).await?)
}

/// How many objects failed in a run so far that are not on its task's list: those that thresholds count (IIQ-27).
///
/// # Errors
/// From the database.
pub async fn newly_failed(tx: &mut Tx, run_id: i64) -> Result<u64> {
    let count = tx.fetch_one(&NEWLY_FAILED, vec![run_id.into()]).await?.required_int(0)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Lets objects of a task's list begin anew: they have all their attempts again, out of quarantine too.
///
/// # Errors
/// From the database.
pub async fn retry(tx: &mut Tx, task: &str, object_type: ObjectType, ids: &[String]) -> Result<u64> {
    crate::suspects::acquit(tx, task, object_type, ids).await?;
    on_list(tx, &RETRY, task, object_type, ids).await
}

/// Takes objects off a task's list: they are read again only once they change.
///
/// # Errors
/// From the database.
pub async fn drop(tx: &mut Tx, task: &str, object_type: ObjectType, ids: &[String]) -> Result<u64> {
    crate::suspects::acquit(tx, task, object_type, ids).await?;
    on_list(tx, &DROP, task, object_type, ids).await
}

async fn on_list(
    tx: &mut Tx,
    stmt: &Stmt,
    task: &str,
    object_type: ObjectType,
    ids: &[String],
) -> Result<u64> {
    let params = vec![task.into(), object_type.as_str().into(), ids.to_vec().into()];
    Ok(tx.execute(stmt, params).await?)
}

/// Reads object type and id from the first two columns, stage and error from `stage` on.
fn read(row: &Row, table: &'static str, stage: usize) -> Result<ObjectFailure> {
    let word = row.required_text(stage)?;
    Ok(ObjectFailure {
        object_type: row.required_text(0)?.parse().map_err(|e| Error::unreadable(table, format!("{e}")))?,
        object_id: row.required_text(1)?.to_owned(),
        stage: Stage::ALL
            .into_iter()
            .find(|stage| stage.as_str() == word)
            .ok_or_else(|| Error::unreadable(table, format!("stage `{word}`")))?,
        error: row.required_text(stage + 1)?.to_owned(),
    })
}
