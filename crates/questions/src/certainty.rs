//! How sure an answer about an instant is: when the object was seen last and next, and whether a run failed in between.

use std::collections::BTreeSet;

use annals_history::{AsOf, Window, window};
use annals_model::ObjectKey;
use annals_sql::{Stmt, Tx, Value as Param};

use crate::Result;

const FAILED: Stmt = Stmt::new(
    "questions.failed_runs",
    "select id, task from annals_run
     where status = 'error' and coalesce(result, '') <> 'LockTimeout' and started > ? and started < ? limit 1000",
);
const FAILED_IN: Stmt = Stmt::new(
    "questions.runs_that_failed_on",
    "select r.id from annals_run_failure f join annals_run r on r.id = f.run_id
     where f.object_type = ? and f.object_id = ? and r.started > ? and r.started < ?",
);
/// A run tells the types of what it read.
const READS: Stmt =
    Stmt::new("questions.task_reads", "select 1 from annals_run where task = ? and by_type like ? limit 1");

#[cfg(test)]
pub(crate) const STATEMENTS: [Stmt; 3] = [FAILED, FAILED_IN, READS];

/// How sure an object's state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certainty {
    /// When it was seen last, and when it was seen to be otherwise.
    pub window: Window,
    /// Runs that began after it was seen last, before it was seen next, and failed, of tasks that read objects of its type;
    /// and runs in which this very object failed.
    pub failed_runs: u64,
}

/// How sure an object's state is, as known at an instant.
///
/// # Errors
/// As any call.
pub async fn certainty(
    tx: &mut Tx,
    key: &ObjectKey,
    state: &AsOf,
    known_at_ms: Option<i64>,
) -> Result<Certainty> {
    let window = window(tx, key, state, known_at_ms).await?;
    let end_ms = window.next_seen_ms.unwrap_or(i64::MAX).min(known_at_ms.unwrap_or(i64::MAX));
    let span = || [Param::from(window.last_seen_ms), Param::from(end_ms)];
    let mut failed: BTreeSet<i64> = BTreeSet::new();
    let (mut reading, mut others) = (BTreeSet::new(), BTreeSet::new());
    for run in tx.fetch_all(&FAILED, span().to_vec()).await? {
        let (id, task) = (run.required_int(0)?, run.required_text(1)?.to_owned());
        if !reading.contains(&task) && !others.contains(&task) {
            let of_type = format!("%\"{}\":%", key.object_type);
            let params = vec![Param::from(task.as_str()), Param::from(of_type)];
            let reads = tx.fetch_optional(&READS, params).await?.is_some();
            if reads { &mut reading } else { &mut others }.insert(task.clone());
        }
        if reading.contains(&task) {
            failed.insert(id);
        }
    }
    let mut params = vec![Param::from(key.object_type.as_str()), Param::from(key.object_id.as_str())];
    params.extend(span());
    for run in tx.fetch_all(&FAILED_IN, params).await? {
        failed.insert(run.required_int(0)?);
    }
    Ok(Certainty { window, failed_runs: failed.len() as u64 })
}
