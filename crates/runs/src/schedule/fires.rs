//! The fires: a row each.

use annals_model::schedule::{Kind, Outcome, Reached, Waiting};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx, Value};

use crate::text::storable;
use crate::{Error, Result};

const TABLE: &str = "annals_schedule_fire";

const WAITING: Stmt = Stmt::new(
    "runs.fires_waiting",
    "select planned_at, due_at, kind from annals_schedule_fire where task = ? and outcome = 'waiting'
     order by planned_at",
);
const SETTLE: Stmt = Stmt::new(
    "runs.fire_settle",
    "update annals_schedule_fire set kind = ?, outcome = ?, decided = ?, lateness_ms = ?, note = ?
     where task = ? and planned_at = ? and outcome = 'waiting'",
);
const STARTED: Stmt = Stmt::new(
    "runs.fire_started",
    "update annals_schedule_fire set outcome = ?, run_id = ?, host = ?, decided = {now_ms},
       lateness_ms = {now_ms} - due_at, note = null
     where task = ? and planned_at = ? and kind = ? and outcome = 'waiting'",
);
const NOTE: Stmt = Stmt::new(
    "runs.fire_note",
    "update annals_schedule_fire set note = ? where task = ? and planned_at = ? and outcome = 'waiting'",
);
const ASK: Stmt = Stmt::new(
    "runs.fire_ask",
    "insert into annals_schedule_fire (task, planned_at, due_at, kind, outcome, decided, host)
     values (?, ?, ?, 'asked', 'waiting', ?, ?) on conflict (task, planned_at) do nothing",
);
const LIST: Stmt = Stmt::new(
    "runs.fires_list",
    "select task, planned_at, due_at, kind, outcome, decided, lateness_ms, run_id, host, note
     from annals_schedule_fire
     where (task = ? or ? = '') and (outcome = ? or ? = '') and planned_at < ?
     order by planned_at desc, task limit ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[WAITING, SETTLE, STARTED, NOTE, ASK, LIST];

/// A fire of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// Task.
    pub task: String,
    /// When it was planned and due, and why it is to be started.
    pub fire: Waiting,
    /// What became of it.
    pub outcome: Outcome,
    /// When that was decided, epoch milliseconds.
    pub decided_ms: i64,
    /// How long after it was due; `None` while it waits.
    pub lateness_ms: Option<i64>,
    /// The run that was started for it.
    pub run_id: Option<i64>,
    /// The host that decided.
    pub host: String,
    /// Why it was skipped or missed, or why it waits still.
    pub note: Option<String>,
}

/// Which fires are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'l> {
    /// Of this task alone.
    pub task: Option<&'l str>,
    /// With this outcome alone.
    pub outcome: Option<Outcome>,
    /// Planned before this instant, epoch milliseconds.
    pub before_ms: i64,
    /// So many at most.
    pub limit: u32,
}

/// The fires of a task that wait to be started, in the order of their planned instants.
pub(super) async fn waiting(tx: &mut Tx, task: &str) -> Result<Vec<Waiting>> {
    let rows = tx.fetch_all(&WAITING, vec![task.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                planned_ms: row.required_int(0)?,
                due_ms: row.required_int(1)?,
                kind: kind(row, 2)?,
            })
        })
        .collect()
}

/// Adds fires that time has reached; one that another host has planned stays as it is.
pub(super) async fn insert(
    tx: &mut Tx,
    task: &str,
    host: &str,
    now_ms: i64,
    fires: &[Reached],
) -> Result<()> {
    let text =
        |value: &dyn Fn(&Reached) -> Option<String>| ColumnData::Text(fires.iter().map(value).collect());
    let int = |value: &dyn Fn(&Reached) -> Option<i64>| ColumnData::Int(fires.iter().map(value).collect());
    let batch = Batch::new(vec![
        Column { name: "task", data: text(&|_| Some(task.to_owned())) },
        Column { name: "planned_at", data: int(&|reached| Some(reached.fire.planned_ms)) },
        Column { name: "due_at", data: int(&|reached| Some(reached.fire.due_ms)) },
        Column { name: "kind", data: text(&|reached| Some(reached.fire.kind.as_str().to_owned())) },
        Column { name: "outcome", data: text(&|reached| Some(reached.outcome.as_str().to_owned())) },
        Column { name: "decided", data: int(&|_| Some(now_ms)) },
        Column { name: "lateness_ms", data: int(&|reached| lateness_ms(reached, now_ms)) },
        Column { name: "host", data: text(&|_| Some(host.to_owned())) },
        Column { name: "note", data: text(&|reached| reached.note.as_deref().map(storable)) },
    ]);
    Ok(tx.insert(TABLE, batch, OnConflict::Ignore).await?)
}

/// Gives a fire that waits what was decided of it.
pub(super) async fn settle(tx: &mut Tx, task: &str, now_ms: i64, reached: &Reached) -> Result<()> {
    let params = vec![
        reached.fire.kind.as_str().into(),
        reached.outcome.as_str().into(),
        now_ms.into(),
        lateness_ms(reached, now_ms).into(),
        reached.note.as_deref().map(storable).into(),
        task.into(),
        reached.fire.planned_ms.into(),
    ];
    tx.execute(&SETTLE, params).await?;
    Ok(())
}

/// Skips a fire that waits.
pub(super) async fn skip(tx: &mut Tx, task: &str, now_ms: i64, fire: &Waiting, reason: &str) -> Result<()> {
    let reached = Reached { fire: *fire, outcome: Outcome::Skipped, note: Some(reason.to_owned()) };
    settle(tx, task, now_ms, &reached).await
}

/// A run was recorded for a fire, in this transaction; `false` if the fire waits no more, and the run must not be: the
/// transaction is to be rolled back.
///
/// # Errors
/// From the database.
pub async fn started(tx: &mut Tx, task: &str, fire: &Waiting, run_id: i64, host: &str) -> Result<bool> {
    let outcome = fire.kind.started().as_str();
    let params = vec![
        outcome.into(),
        run_id.into(),
        host.into(),
        task.into(),
        fire.planned_ms.into(),
        fire.kind.as_str().into(),
    ];
    Ok(tx.execute(&STARTED, params).await? == 1)
}

/// Says at a fire why it waits still.
///
/// # Errors
/// From the database.
pub async fn note(tx: &mut Tx, task: &str, fire: &Waiting, note: &str) -> Result<()> {
    tx.execute(&NOTE, vec![storable(note).into(), task.into(), fire.planned_ms.into()]).await?;
    Ok(())
}

/// Asks for a run of a task: makes a fire due now. The instant under which the ledger has it, epoch milliseconds.
///
/// # Errors
/// From the database.
pub async fn trigger(tx: &mut Tx, task: &str, host: &str) -> Result<i64> {
    let mut planned_ms = super::now_ms(tx).await?;
    loop {
        // Schedules plan whole seconds: what is asked for never takes the place of what is planned.
        if planned_ms % 1_000 == 0 {
            planned_ms += 1;
        }
        let at: Value = planned_ms.into();
        let params = vec![task.into(), at.clone(), at.clone(), at, host.into()];
        if tx.execute(&ASK, params).await? == 1 {
            return Ok(planned_ms);
        }
        // Somebody else asked in this very millisecond.
        planned_ms += 1;
    }
}

/// Fires, newest first.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx, listed: Listed<'_>) -> Result<Vec<Fire>> {
    let task = listed.task.unwrap_or_default();
    let outcome = listed.outcome.map_or("", Outcome::as_str);
    let params = vec![
        task.into(),
        task.into(),
        outcome.into(),
        outcome.into(),
        listed.before_ms.into(),
        listed.limit.into(),
    ];
    tx.fetch_all(&LIST, params).await?.iter().map(read).collect()
}

/// How long after it was due something was decided of a fire; `None` while it waits.
fn lateness_ms(reached: &Reached, now_ms: i64) -> Option<i64> {
    (reached.outcome != Outcome::Waiting).then(|| now_ms - reached.fire.due_ms)
}

fn kind(row: &Row, column: usize) -> Result<Kind> {
    let word = row.required_text(column)?;
    Kind::parse(word).ok_or_else(|| Error::unreadable(TABLE, format!("kind `{word}`")))
}

fn read(row: &Row) -> Result<Fire> {
    let word = row.required_text(4)?;
    let outcome =
        Outcome::parse(word).ok_or_else(|| Error::unreadable(TABLE, format!("outcome `{word}`")))?;
    Ok(Fire {
        task: row.required_text(0)?.to_owned(),
        fire: Waiting { planned_ms: row.required_int(1)?, due_ms: row.required_int(2)?, kind: kind(row, 3)? },
        outcome,
        decided_ms: row.required_int(5)?,
        lateness_ms: row.int(6)?,
        run_id: row.int(7)?,
        host: row.required_text(8)?.to_owned(),
        note: row.text(9)?.map(str::to_owned),
    })
}
