//! What a monitor asks of the control tables: a few statements, each over all tasks.

use annals_sql::{Row, Stmt, Tx};

use crate::Result;
use crate::hosts::{self, Host};

const RUNS: Stmt = Stmt::new(
    "runs.figures_runs",
    "select task, coalesce(status, ''), coalesce(result, ''), count(*), max(ended), max(id) from annals_run
     where state = 'ended' group by task, status, result",
);
const OPEN: Stmt = Stmt::new(
    "runs.figures_open",
    "select task, count(*) from annals_run where state <> 'ended' group by task order by task",
);
const WRITES: Stmt = Stmt::new(
    "runs.figures_writes",
    "select r.task, cast(sum(w.full_captures) as bigint), cast(sum(w.patch_captures) as bigint),
       cast(sum(w.deleted) as bigint), cast(sum(w.duplicates) as bigint), cast(sum(w.unchanged) as bigint)
     from annals_run_write w join annals_run r on r.id = w.run_id group by r.task order by r.task",
);
const FAILURES: Stmt = Stmt::new(
    "runs.figures_failures",
    "select r.task, count(*) from annals_run_failure f join annals_run r on r.id = f.run_id
     group by r.task order by r.task",
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
const LETTERS: Stmt = Stmt::new(
    "runs.figures_letters",
    "select (select count(*) from annals_parked_message), (select count(*) from annals_dead_letter)",
);
pub(crate) const STATEMENTS: &[Stmt] = &[RUNS, OPEN, WRITES, FAILURES, LAG, LATENESS, WAITING, LETTERS];

/// The outcomes in the order of the columns of [`WRITES`].
const WRITTEN: [&str; 5] = ["full", "patch", "deleted", "duplicate", "unchanged"];
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
    /// When one of them ended last, epoch milliseconds.
    pub last_ended_ms: Option<i64>,
    /// The newest of them.
    pub last_run: i64,
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
    /// Messages that wait to be delivered again.
    pub parked: u64,
    /// Messages that were given up.
    pub dead: u64,
    /// The processes that are known.
    pub hosts: Vec<Host>,
}

impl Figures {
    /// The newest ended run of each task, as the entry that it is counted in.
    pub fn last_runs(&self) -> impl Iterator<Item = &EndedRuns> {
        let is_newest = |one: &EndedRuns| {
            self.ended.iter().all(|other| other.task != one.task || other.last_run <= one.last_run)
        };
        self.ended.iter().filter(move |one| is_newest(one))
    }
}

/// Reads all figures.
///
/// # Errors
/// From the database.
pub async fn read(tx: &mut Tx) -> Result<Figures> {
    let letters = tx.fetch_one(&LETTERS, Vec::new()).await?;
    Ok(Figures {
        ended: ended(tx).await?,
        open: of_tasks(tx, &OPEN).await?,
        objects: objects(tx).await?,
        lag_ms: of_tasks(tx, &LAG).await?,
        lateness_ms: of_tasks(tx, &LATENESS).await?,
        waiting_ms: of_tasks(tx, &WAITING).await?,
        parked: count(&letters, 0)?,
        dead: count(&letters, 1)?,
        hosts: hosts::list(tx).await?,
    })
}

async fn ended(tx: &mut Tx) -> Result<Vec<EndedRuns>> {
    let rows = tx.fetch_all(&RUNS, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            Ok(EndedRuns {
                task: row.required_text(0)?.to_owned(),
                status: row.required_text(1)?.to_owned(),
                result: row.required_text(2)?.to_owned(),
                runs: count(row, 3)?,
                last_ended_ms: row.int(4)?,
                last_run: row.required_int(5)?,
            })
        })
        .collect()
}

async fn objects(tx: &mut Tx) -> Result<Vec<ObjectsBy>> {
    let mut objects = Vec::new();
    for row in &tx.fetch_all(&WRITES, Vec::new()).await? {
        for (index, outcome) in WRITTEN.into_iter().enumerate() {
            let task = row.required_text(0)?.to_owned();
            objects.push(ObjectsBy { task, outcome, objects: count(row, index + 1)? });
        }
    }
    for row in &tx.fetch_all(&FAILURES, Vec::new()).await? {
        let task = row.required_text(0)?.to_owned();
        objects.push(ObjectsBy { task, outcome: FAILED, objects: count(row, 1)? });
    }
    Ok(objects)
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
