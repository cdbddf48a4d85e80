//! Request state: what a partition saved, kept as a readable log (IIQ-08, IIQ-25).

use annals_model::{PartitionLease, RequestState};
use annals_sql::{Stmt, Tx};

use crate::{Error, Result, failures, partitions};

/// Ends the partition in the same statement when its last chunk is done.
const FENCE: Stmt = Stmt::new(
    "runs.state_fence",
    "update annals_partition set
       state = case when ? >= (select count(*) from annals_partition_chunk c
                               where c.run_id = annals_partition.run_id
                                 and c.partition_no = annals_partition.partition_no)
               then 'done' else state end
     where run_id = ? and partition_no = ? and lease_epoch = ? and state = 'leased'",
);
const INSERT: Stmt = Stmt::new(
    "runs.state_insert",
    "insert into annals_request_state (run_id, partition_no, seq, saved, lease_epoch, state)
     values (?, ?, ?, {now_ms}, ?, ?)",
);
const IS_SAVED: Stmt = Stmt::new(
    "runs.state_is_saved",
    "select seq from annals_request_state where run_id = ? and partition_no = ? and seq = ? and lease_epoch = ?",
);
const LATEST: Stmt = Stmt::new(
    "runs.state_latest",
    "select state from annals_request_state where run_id = ? and partition_no = ? order by seq desc limit 1",
);
const LOG: Stmt = Stmt::new(
    "runs.state_log",
    "select seq, saved, lease_epoch, state from annals_request_state
     where run_id = ? and partition_no = ? order by seq desc limit ?",
);
const OF_RUN: Stmt = Stmt::new(
    "runs.state_of_run",
    "select s.state from annals_request_state s
     join (select partition_no, max(seq) as seq from annals_request_state where run_id = ? group by partition_no) l
       on l.partition_no = s.partition_no and l.seq = s.seq
     where s.run_id = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[FENCE, INSERT, IS_SAVED, LATEST, LOG, OF_RUN];

/// A state as it was saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// Database time, epoch milliseconds.
    pub saved_ms: i64,
    /// Under which lease.
    pub epoch: i64,
    /// What was saved.
    pub state: RequestState,
}

/// Saves the state of a partition under its lease, with the failures of its last chunk. With the last chunk done, the
/// partition is done.
///
/// # Errors
/// `StaleLease` when the partition has another owner: roll back. From the database.
pub async fn save(tx: &mut Tx, lease: &PartitionLease, state: &RequestState) -> Result<()> {
    let key = || vec![lease.run_id.into(), lease.partition.into()];
    let mut params = vec![state.chunks_done.into()];
    params.extend(key());
    params.push(lease.epoch.into());
    partitions::fenced(lease, tx.execute(&FENCE, params).await?)?;
    let text = serde_json::to_string(state).map_err(|e| Error::json("annals_request_state", "state", e))?;
    let mut params = key();
    params.extend([state.chunks_done.into(), lease.epoch.into(), text.into()]);
    tx.execute(&INSERT, params).await?;
    failures::record(tx, lease, &state.failures).await
}

/// Whether this state was saved under this very lease before.
///
/// # Errors
/// From the database.
pub async fn is_saved(tx: &mut Tx, lease: &PartitionLease, state: &RequestState) -> Result<bool> {
    let params =
        vec![lease.run_id.into(), lease.partition.into(), state.chunks_done.into(), lease.epoch.into()];
    Ok(tx.fetch_optional(&IS_SAVED, params).await?.is_some())
}

/// Checks the lease without saving anything, for a transaction that holds part of a chunk.
///
/// # Errors
/// `StaleLease` when the partition has another owner: roll back. From the database.
pub async fn check(tx: &mut Tx, lease: &PartitionLease) -> Result<()> {
    partitions::check(tx, lease).await
}

/// What a partition saved last.
///
/// # Errors
/// From the database.
pub async fn latest(tx: &mut Tx, run_id: i64, partition: i32) -> Result<Option<RequestState>> {
    tx.fetch_optional(&LATEST, vec![run_id.into(), partition.into()])
        .await?
        .map(|row| read(row.required_text(0)?, run_id))
        .transpose()
}

/// What a partition saved, newest first, at most so many.
///
/// # Errors
/// From the database.
pub async fn log(tx: &mut Tx, run_id: i64, partition: i32, max: u32) -> Result<Vec<Saved>> {
    let rows = tx.fetch_all(&LOG, vec![run_id.into(), partition.into(), max.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Saved {
                saved_ms: row.required_int(1)?,
                epoch: row.required_int(2)?,
                state: read(row.required_text(3)?, run_id)?,
            })
        })
        .collect()
}

/// What each partition of a run saved last.
///
/// # Errors
/// From the database.
pub async fn of_run(tx: &mut Tx, run_id: i64) -> Result<Vec<RequestState>> {
    let rows = tx.fetch_all(&OF_RUN, vec![run_id.into(), run_id.into()]).await?;
    rows.iter().map(|row| read(row.required_text(0)?, run_id)).collect()
}

fn read(text: &str, run_id: i64) -> Result<RequestState> {
    serde_json::from_str(text)
        .map_err(|e| Error::json("annals_request_state", format!("state of run {run_id}"), e))
}
