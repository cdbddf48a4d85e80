//! What a run leaves that nobody needs once it has long ended: its partitions, their chunks and the log of their states.
//! The run itself, its messages, failures and results stay.

use annals_sql::{Stmt, Tx, Value};

use crate::Result;

const CLAIM: Stmt = Stmt::new(
    "runs.clean_up_claim",
    "update annals_clean_up set began = {now_ms}, ended = null, runs = 0, error = null
     where coalesce(began, 0) < {now_ms} - ?",
);
const END: Stmt = Stmt::new("runs.clean_up_end", "update annals_clean_up set ended = {now_ms}, error = ?");
const DONE: Stmt =
    Stmt::new("runs.clean_up_done", "update annals_clean_up set done = ended where error is null");
const COUNT: Stmt = Stmt::new("runs.clean_up_count", "update annals_clean_up set runs = runs + ?");
const LAST: Stmt = Stmt::new("runs.clean_up_last", "select began, ended, runs, error from annals_clean_up");
/// In one statement, so that a run which is taken up again at this moment keeps its own.
const TAKE: Stmt = Stmt::new(
    "runs.clean_up_take",
    "update annals_run set cleaned_up = {now_ms}
     where cleaned_up is null and state = 'ended' and id in (
       select id from annals_run where cleaned_up is null and state = 'ended' and ended < {now_ms} - ?
       order by id limit ?)
     returning id",
);
const CHUNKS: Stmt =
    Stmt::new("runs.clean_up_chunks", "delete from annals_partition_chunk where run_id {in}");
const STATES: Stmt = Stmt::new("runs.clean_up_states", "delete from annals_request_state where run_id {in}");
const PARTITIONS: Stmt =
    Stmt::new("runs.clean_up_partitions", "delete from annals_partition where run_id {in}");
pub(crate) const STATEMENTS: &[Stmt] = &[CLAIM, END, DONE, COUNT, LAST, TAKE, CHUNKS, STATES, PARTITIONS];

/// Runs that are cleaned up in one transaction.
const RUNS_AT_A_TIME: i64 = 20;

/// The last clean-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanUp {
    /// When it began, epoch milliseconds of the database's clock; `None`: there never was one.
    pub began_ms: Option<i64>,
    /// When it ended; `None` while it is under way, or where it was cut off.
    pub ended_ms: Option<i64>,
    /// Runs whose details it removed.
    pub runs: u64,
    /// Why it did not come to its end.
    pub error: Option<String>,
}

/// Begins a clean-up, where none has begun for so long; `false`: somebody else does it, or did.
///
/// # Errors
/// From the database.
pub async fn claim(tx: &mut Tx, every_ms: i64) -> Result<bool> {
    Ok(tx.execute(&CLAIM, vec![every_ms.into()]).await? == 1)
}

/// Removes the details of some of the runs that ended so long ago; of how many.
///
/// # Errors
/// From the database.
pub async fn remove_some(tx: &mut Tx, older_ms: i64) -> Result<u64> {
    let mut runs = Vec::new();
    for row in tx.fetch_all(&TAKE, vec![older_ms.into(), RUNS_AT_A_TIME.into()]).await? {
        runs.push(row.required_int(0)?);
    }
    let removed = runs.len();
    if removed > 0 {
        for stmt in [&CHUNKS, &STATES, &PARTITIONS] {
            tx.execute(stmt, vec![runs.clone().into()]).await?;
        }
        tx.execute(&COUNT, vec![i64::try_from(removed).unwrap_or(i64::MAX).into()]).await?;
    }
    Ok(removed as u64)
}

/// Ends a clean-up.
///
/// # Errors
/// From the database.
pub async fn end(tx: &mut Tx, error: Option<&str>) -> Result<()> {
    tx.execute(&END, vec![Value::Text(error.map(str::to_owned))]).await?;
    tx.execute(&DONE, Vec::new()).await?;
    Ok(())
}

/// The last clean-up.
///
/// # Errors
/// From the database.
pub async fn last(tx: &mut Tx) -> Result<CleanUp> {
    let row = tx.fetch_one(&LAST, Vec::new()).await?;
    Ok(CleanUp {
        began_ms: row.int(0)?,
        ended_ms: row.int(1)?,
        runs: u64::try_from(row.required_int(2)?).unwrap_or_default(),
        error: row.text(3)?.map(str::to_owned),
    })
}
