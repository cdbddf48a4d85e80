//! Runs: one execution of a task, with its counters and messages.

use annals_model::{Counters, ObjectType, TaskStatus};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx, Value};
use serde::{Deserialize, Serialize};

use crate::{Driver, Error, Result, RunLease, totals};

const INSERT: Stmt = Stmt::new(
    "runs.run_insert",
    "insert into annals_run (task, trigger_kind, host, config_version, state, started, since_date, horizon, counters,
       scope, follows, driver, driver_epoch, driver_until)
     values (?, ?, ?, ?, 'dispatching', {now_ms}, ?, ?, ?, ?, ?, ?, 1, {now_ms} + ?) returning id",
);
const GET: Stmt = Stmt::new(
    "runs.run_get",
    "select id, task, trigger_kind, host, config_version, state, status, result, started, ended, since_date, horizon,
       counters, by_type, scope, follows, cleaned_up from annals_run where id = ?",
);
const LIST: Stmt = Stmt::new(
    "runs.run_list",
    "select id, task, trigger_kind, host, config_version, state, status, result, started, ended, since_date, horizon,
       counters, by_type, scope, follows, cleaned_up from annals_run where id < ? and (task = ? or ? = '') order by id desc limit ?",
);
const SET_STATE: Stmt = Stmt::new(
    "runs.run_state",
    "update annals_run set state = ?, counters = ? where id = ? and driver_epoch = ? and state = 'dispatching'",
);
const END: Stmt = Stmt::new(
    "runs.run_end",
    "update annals_run set state = 'ended', status = ?, result = ?, ended = {now_ms}, counters = ?, by_type = ?
     where id = ? and state <> 'ended'",
);
const LOCK: Stmt = Stmt::new("runs.run_lock", "update annals_run set state = state where id = ?");
const MESSAGES: Stmt = Stmt::new(
    "runs.run_messages",
    "select status, text from annals_run_message where run_id = ? order by idx",
);
const NEXT_MESSAGE: Stmt = Stmt::new(
    "runs.run_next_message",
    "select coalesce(max(idx) + 1, 0) from annals_run_message where run_id = ?",
);
const FORGET_ERRORS: Stmt = Stmt::new(
    "runs.run_forget_errors",
    "delete from annals_run_message where run_id = ? and status in ('error', 'terminated') returning text",
);
const OTHER: Stmt =
    Stmt::new("runs.run_other", "select id from annals_run where state <> 'ended' and id <> ? limit 1");
pub(crate) const STATEMENTS: &[Stmt] =
    &[INSERT, GET, LIST, SET_STATE, END, LOCK, MESSAGES, NEXT_MESSAGE, FORGET_ERRORS, OTHER];

/// What made a run start (IIQ-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Its schedule.
    Scheduled,
    /// Somebody asked for it.
    Adhoc,
}

impl Trigger {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Adhoc => "adhoc",
        }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Objects are being found and shared out.
    Dispatching,
    /// Partitions are being worked on.
    Running,
    /// All partitions have ended.
    Finishing,
    /// Over.
    Ended,
}

impl RunState {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatching => "dispatching",
            Self::Running => "running",
            Self::Finishing => "finishing",
            Self::Ended => "ended",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Dispatching, Self::Running, Self::Finishing, Self::Ended]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// What a run was asked to read, where that is not all that qualifies for its task; the named timestamp stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RunScope {
    /// Objects of one type, changed or not.
    Objects {
        /// Their type.
        object_type: ObjectType,
        /// Their ids.
        ids: Vec<String>,
    },
    /// What differs between source and history.
    Reconcile {
        /// Of this type only.
        object_type: Option<ObjectType>,
    },
}

/// A run about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Task name.
    pub task: String,
    /// What made it start.
    pub trigger: Trigger,
    /// Which host dispatches it.
    pub host: String,
    /// Configuration it keeps to its end.
    pub config_version: i64,
    /// Named timestamp it starts from; `None`: everything is read.
    pub since_ms: Option<i64>,
    /// The instant up to which it will surely have seen everything.
    pub horizon_ms: i64,
    /// What it was asked to read; `None`: all that qualifies for its task.
    pub scope: Option<RunScope>,
    /// The run that it executes again.
    pub follows: Option<i64>,
    /// Who dispatches and finishes it; `None` for one that ends at once.
    pub driver: Option<Driver>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Number.
    pub id: i64,
    /// Task name.
    pub task: String,
    /// `scheduled` or `adhoc`.
    pub trigger: String,
    /// Which host dispatched it.
    pub host: String,
    /// Configuration version.
    pub config_version: i64,
    /// How far it has come.
    pub state: RunState,
    /// Its status, once it has ended.
    pub status: Option<TaskStatus>,
    /// Its result beside the status: `Success`, `Partial`, `Failure`, `LockTimeout` ... (BRV-14).
    pub result: Option<String>,
    /// Database time, epoch milliseconds.
    pub started_ms: i64,
    /// Database time, epoch milliseconds.
    pub ended_ms: Option<i64>,
    /// Named timestamp it started from.
    pub since_ms: Option<i64>,
    /// Its horizon.
    pub horizon_ms: i64,
    /// Its results.
    pub counters: Counters,
    /// Totals by object type, as JSON.
    pub by_type: Option<serde_json::Value>,
    /// What it was asked to read; `None`: all that qualifies for its task.
    pub scope: Option<RunScope>,
    /// The run that it executes again.
    pub follows: Option<i64>,
    /// When its partitions were removed, long after its end: database time, epoch milliseconds.
    pub cleaned_up_ms: Option<i64>,
}

/// A message of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMessage {
    /// How bad it is.
    pub status: TaskStatus,
    /// Banner text, word for word where the reference has one.
    pub text: String,
}

/// Begins a run; its number and its driver's lease.
///
/// # Errors
/// From the database.
pub async fn begin(tx: &mut Tx, run: &NewRun) -> Result<RunLease> {
    let scope = run.scope.as_ref().map(serde_json::to_string).transpose();
    let params = vec![
        run.task.as_str().into(),
        run.trigger.as_str().into(),
        run.host.as_str().into(),
        run.config_version.into(),
        run.since_ms.into(),
        run.horizon_ms.into(),
        counters_text(&Counters::default())?.into(),
        scope.map_err(|e| Error::json("annals_run", "scope", e))?.into(),
        run.follows.into(),
        run.driver.map(|driver| driver.host).into(),
        run.driver.map(|driver| driver.lease_ms).into(),
    ];
    Ok(RunLease { run_id: tx.fetch_one(&INSERT, params).await?.required_int(0)?, epoch: 1 })
}

/// A run by its number.
///
/// # Errors
/// `NotFound`; from the database.
pub async fn get(tx: &mut Tx, run_id: i64) -> Result<Run> {
    let row = tx.fetch_optional(&GET, vec![run_id.into()]).await?;
    read(&row.ok_or_else(|| Error::NotFound(format!("run {run_id}")))?)
}

/// Runs below a number, newest first, of one task or of all.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx, task: Option<&str>, below: Option<i64>, max: u32) -> Result<Vec<Run>> {
    let task = task.unwrap_or_default();
    let params = vec![below.unwrap_or(i64::MAX).into(), task.into(), task.into(), max.into()];
    tx.fetch_all(&LIST, params).await?.iter().map(read).collect()
}

/// Moves a run on that has been dispatched; what it has counted so far is kept with it.
///
/// # Errors
/// From the database; `StaleDriver` when it has another driver, was dispatched by another, or has ended: roll back.
pub async fn advance(tx: &mut Tx, lease: &RunLease, state: RunState, counters: &Counters) -> Result<()> {
    let params =
        vec![state.as_str().into(), counters_text(counters)?.into(), lease.run_id.into(), lease.epoch.into()];
    match tx.execute(&SET_STATE, params).await? {
        0 => Err(Error::StaleDriver { run_id: lease.run_id, epoch: lease.epoch }),
        _ => Ok(()),
    }
}

/// Whether no other run has begun and not ended.
///
/// # Errors
/// From the database.
pub async fn is_alone(tx: &mut Tx, run_id: i64) -> Result<bool> {
    Ok(tx.fetch_optional(&OTHER, vec![run_id.into()]).await?.is_none())
}

/// Ends a run; `false` when another host has ended it already.
///
/// # Errors
/// From the database.
pub async fn end(
    tx: &mut Tx,
    run_id: i64,
    status: TaskStatus,
    result: &str,
    counters: &Counters,
    by_type: &serde_json::Value,
) -> Result<bool> {
    let params = vec![
        status.as_str().into(),
        result.into(),
        counters_text(counters)?.into(),
        by_type.to_string().into(),
        run_id.into(),
    ];
    let ended = tx.execute(&END, params).await? == 1;
    if ended {
        totals::add(tx, run_id).await?;
    }
    Ok(ended)
}

/// Holds a run's row until the transaction ends: what several processes may do to a run they do one by one.
///
/// # Errors
/// From the database.
pub async fn lock(tx: &mut Tx, run_id: i64) -> Result<()> {
    tx.execute(&LOCK, vec![run_id.into()]).await?;
    Ok(())
}

/// Adds messages to a run, after those it has. Where others may add some too, it is to be locked before.
///
/// # Errors
/// From the database.
pub async fn add_messages(tx: &mut Tx, run_id: i64, messages: &[RunMessage]) -> Result<()> {
    let first = tx.fetch_one(&NEXT_MESSAGE, vec![run_id.into()]).await?.required_int(0)?;
    let batch = Batch::new(vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(run_id); messages.len()]) },
        Column { name: "idx", data: ColumnData::Int((first..).take(messages.len()).map(Some).collect()) },
        Column {
            name: "status",
            data: ColumnData::Text(messages.iter().map(|m| Some(m.status.as_str().to_owned())).collect()),
        },
        Column {
            name: "text",
            data: ColumnData::Text(messages.iter().map(|m| Some(m.text.clone())).collect()),
        },
    ]);
    Ok(tx.insert("annals_run_message", batch, OnConflict::Fail).await?)
}

/// Takes the messages from a run that say how it failed; their texts.
///
/// # Errors
/// From the database.
pub async fn forget_errors(tx: &mut Tx, run_id: i64) -> Result<Vec<String>> {
    let rows = tx.fetch_all(&FORGET_ERRORS, vec![run_id.into()]).await?;
    rows.iter().map(|row| Ok(row.required_text(0)?.to_owned())).collect()
}

/// The messages of a run in their order.
///
/// # Errors
/// From the database.
pub async fn messages(tx: &mut Tx, run_id: i64) -> Result<Vec<RunMessage>> {
    tx.fetch_all(&MESSAGES, vec![Value::from(run_id)])
        .await?
        .iter()
        .map(|row| {
            Ok(RunMessage {
                status: status("annals_run_message", row.required_text(0)?)?,
                text: row.required_text(1)?.to_owned(),
            })
        })
        .collect()
}

fn counters_text(counters: &Counters) -> Result<String> {
    serde_json::to_string(counters).map_err(|e| Error::json("annals_run", "counters", e))
}

fn status(table: &'static str, word: &str) -> Result<TaskStatus> {
    [TaskStatus::Success, TaskStatus::Warning, TaskStatus::Error, TaskStatus::Terminated]
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| Error::unreadable(table, format!("status `{word}`")))
}

fn read(row: &Row) -> Result<Run> {
    let id = row.required_int(0)?;
    let json = |column: &str, text: &str| {
        serde_json::from_str(text).map_err(|e| Error::json("annals_run", format!("{column} of run {id}"), e))
    };
    let counters = serde_json::from_str(row.required_text(12)?)
        .map_err(|e| Error::json("annals_run", format!("counters of run {id}"), e))?;
    Ok(Run {
        id,
        task: row.required_text(1)?.to_owned(),
        trigger: row.required_text(2)?.to_owned(),
        host: row.required_text(3)?.to_owned(),
        config_version: row.required_int(4)?,
        state: RunState::parse(row.required_text(5)?)
            .ok_or_else(|| Error::unreadable("annals_run", format!("state of run {id}")))?,
        status: row.text(6)?.map(|word| status("annals_run", word)).transpose()?,
        result: row.text(7)?.map(str::to_owned),
        started_ms: row.required_int(8)?,
        ended_ms: row.int(9)?,
        since_ms: row.int(10)?,
        horizon_ms: row.required_int(11)?,
        counters,
        by_type: row.text(13)?.map(|text| json("by_type", text)).transpose()?,
        scope: row
            .text(14)?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|e| Error::json("annals_run", format!("scope of run {id}"), e))?,
        follows: row.int(15)?,
        cleaned_up_ms: row.int(16)?,
    })
}
