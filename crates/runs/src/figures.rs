//! What a monitor asks of the control tables: a few statements, each over all tasks.

use std::collections::BTreeMap;

use annals_sql::{Row, Stmt, Tx};

use crate::Result;
use crate::hosts::{self, Host};

const RUNS: Stmt = Stmt::new(
    "runs.figures_runs",
    "select task, status, result, runs, full_captures, patch_captures, deleted, duplicates, unchanged, failed
     from annals_run_total order by task, status, result",
);
/// Through the index of a task's runs, from its end: of the newest few may not have ended.
const LAST: Stmt = Stmt::new(
    "runs.figures_last",
    "select r.task, coalesce(r.status, ''), coalesce(r.result, ''), r.ended from annals_run r
     where r.id in (select (select max(l.id) from annals_run l where l.task = t.task and l.state = 'ended')
                    from (select distinct task from annals_run_total) t)
     order by r.task",
);
const OPEN: Stmt = Stmt::new(
    "runs.figures_open",
    "select task, count(*) from annals_run where state <> 'ended' group by task order by task",
);
const OPEN_WRITES: Stmt = Stmt::new(
    "runs.figures_open_writes",
    "select r.task, cast(sum(w.full_captures) as bigint), cast(sum(w.patch_captures) as bigint),
       cast(sum(w.deleted) as bigint), cast(sum(w.duplicates) as bigint), cast(sum(w.unchanged) as bigint)
     from annals_run r join annals_run_write w on w.run_id = r.id where r.state <> 'ended' group by r.task",
);
const OPEN_FAILURES: Stmt = Stmt::new(
    "runs.figures_open_failures",
    "select r.task, count(*) from annals_run r join annals_run_failure f on f.run_id = r.id
     where r.state <> 'ended' group by r.task",
);
const LAG: Stmt = Stmt::new(
    "runs.figures_lag",
    "select task, {now_ms} - timestamp_ms from annals_named_timestamp
     where timestamp_ms is not null order by task",
);
/// Through the ledger's key, from its end: it may be long.
const LATENESS: Stmt = Stmt::new(
    "runs.figures_lateness",
    "select s.task, f.lateness_ms from annals_schedule s
     join annals_schedule_fire f on f.task = s.task and f.planned_at =
       (select max(l.planned_at) from annals_schedule_fire l where l.task = s.task and l.lateness_ms is not null)
     order by s.task",
);
const WAITING: Stmt = Stmt::new(
    "runs.figures_waiting",
    "select s.task, coalesce((select {now_ms} - min(f.due_at) from annals_schedule_fire f
       where f.task = s.task and f.outcome = 'waiting' and f.due_at <= {now_ms}), 0)
     from annals_schedule s order by s.task",
);
/// More of them make no difference to whoever is to look at them.
const LETTERS: Stmt = Stmt::new(
    "runs.figures_letters",
    "select (select count(*) from (select 1 from annals_parked_message limit 100000) parked),
       (select count(*) from (select 1 from annals_dead_letter limit 100000) dead)",
);
const CLEANED_UP: Stmt = Stmt::new(
    "runs.figures_cleaned_up",
    "select {now_ms} - done from annals_clean_up where done is not null",
);
pub(crate) const STATEMENTS: &[Stmt] =
    &[CLEANED_UP, RUNS, LAST, OPEN, OPEN_WRITES, OPEN_FAILURES, LAG, LATENESS, WAITING, LETTERS];

/// The outcomes in the order of the columns of [`RUNS`] and [`OPEN_WRITES`].
const OUTCOMES: [&str; 6] = ["full", "patch", "deleted", "duplicate", "unchanged", FAILED];
const FAILED: &str = "failed";

/// The ended runs of a task that ended alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRuns {
    /// Task.
    pub task: String,
    /// Status, as stored.
    pub status: String,
    /// Result beside the status, as stored.
    pub result: String,
    /// How many.
    pub runs: u64,
}

/// The newest run of a task that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// Task.
    pub task: String,
    /// Status, as stored.
    pub status: String,
    /// Result beside the status, as stored.
    pub result: String,
    /// When it ended, epoch milliseconds.
    pub ended_ms: Option<i64>,
}

/// Objects of a task's runs that came to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectsBy {
    /// Task.
    pub task: String,
    /// `full`, `patch`, `deleted`, `duplicate`, `unchanged`: as the writer wrote them; `failed`: at any stage.
    pub outcome: &'static str,
    /// How many.
    pub objects: u64,
}

/// A number of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTask {
    /// Task.
    pub task: String,
    /// The number.
    pub number: i64,
}

/// How it stands with all that is kept in one history database, whichever host asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Runs that have ended.
    pub ended: Vec<EndedRuns>,
    /// The newest of them, of each task.
    pub last: Vec<LastRun>,
    /// Runs under way, of tasks that have any.
    pub open: Vec<OfTask>,
    /// What became of objects.
    pub objects: Vec<ObjectsBy>,
    /// How far the named timestamps lie behind the history database's clock, milliseconds.
    pub lag_ms: Vec<OfTask>,
    /// How late the newest fire was that was decided on, milliseconds.
    pub lateness_ms: Vec<OfTask>,
    /// For how long the oldest fire that is due waits to be started, milliseconds; 0 where none does.
    pub waiting_ms: Vec<OfTask>,
    /// Messages that wait to be delivered again, up to 100,000.
    pub parked: u64,
    /// Messages that were given up, up to 100,000.
    pub dead: u64,
    /// How long ago runs of long ago were cleaned up last, milliseconds.
    pub cleaned_up_ms: Option<i64>,
    /// The processes that are known.
    pub hosts: Vec<Host>,
}

/// Reads all figures.
///
/// # Errors
/// From the database.
pub async fn read(tx: &mut Tx) -> Result<Figures> {
    let letters = tx.fetch_one(&LETTERS, Vec::new()).await?;
    let (ended, objects) = ended(tx).await?;
    Ok(Figures {
        ended,
        last: last(tx).await?,
        open: of_tasks(tx, &OPEN).await?,
        objects,
        lag_ms: of_tasks(tx, &LAG).await?,
        lateness_ms: of_tasks(tx, &LATENESS).await?,
        waiting_ms: of_tasks(tx, &WAITING).await?,
        parked: count(&letters, 0)?,
        dead: count(&letters, 1)?,
        cleaned_up_ms: tx
            .fetch_optional(&CLEANED_UP, Vec::new())
            .await?
            .map_or(Ok(None), |row| row.int(0))?,
        hosts: hosts::list(tx).await?,
    })
}

/// The runs that have ended, and the objects of all: what has ended is added up, the rest are few.
async fn ended(tx: &mut Tx) -> Result<(Vec<EndedRuns>, Vec<ObjectsBy>)> {
    let mut ended = Vec::new();
    let mut objects: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
    let mut add = |row: &Row, first: usize, outcomes: &[&'static str]| {
        for (index, outcome) in outcomes.iter().enumerate() {
            let task = row.required_text(0)?.to_owned();
            *objects.entry((task, *outcome)).or_default() += count(row, first + index)?;
        }
        Result::Ok(())
    };
    for row in &tx.fetch_all(&RUNS, Vec::new()).await? {
        add(row, 4, &OUTCOMES)?;
        let runs = count(row, 3)?;
        // All of them were taken up again.
        if runs > 0 {
            ended.push(EndedRuns {
                task: row.required_text(0)?.to_owned(),
                status: row.required_text(1)?.to_owned(),
                result: row.required_text(2)?.to_owned(),
                runs,
            });
        }
    }
    for row in &tx.fetch_all(&OPEN_WRITES, Vec::new()).await? {
        add(row, 1, &OUTCOMES[..5])?;
    }
    for row in &tx.fetch_all(&OPEN_FAILURES, Vec::new()).await? {
        add(row, 1, &[FAILED])?;
    }
    let objects = objects.into_iter();
    Ok((ended, objects.map(|((task, outcome), objects)| ObjectsBy { task, outcome, objects }).collect()))
}

async fn last(tx: &mut Tx) -> Result<Vec<LastRun>> {
    let rows = tx.fetch_all(&LAST, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            Ok(LastRun {
                task: row.required_text(0)?.to_owned(),
                status: row.required_text(1)?.to_owned(),
                result: row.required_text(2)?.to_owned(),
                ended_ms: row.int(3)?,
            })
        })
        .collect()
}

async fn of_tasks(tx: &mut Tx, stmt: &Stmt) -> Result<Vec<OfTask>> {
    let rows = tx.fetch_all(stmt, Vec::new()).await?;
    rows.iter()
        .map(|row| Ok(OfTask { task: row.required_text(0)?.to_owned(), number: row.required_int(1)? }))
        .collect()
}

fn count(row: &Row, index: usize) -> Result<u64> {
    Ok(u64::try_from(row.required_int(index)?).unwrap_or_default())
}
