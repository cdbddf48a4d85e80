//! The schedule ledger: up to where the fires of each task are decided on, and what became of each fire.
//!
//! Any number of hosts look at it. Whoever comes first locks a task's row and plans its fires, each under a key of its
//! own; a fire is started in the transaction that records its run, so that a host that dies before then has started
//! nothing and another one does (TRAP-11). What time it is, the database says.

mod fires;

use annals_model::Schedule;
use annals_model::schedule::{Overlap, Pause, Waiting, due, plan};
use annals_sql::{Stmt, Tx};

pub use fires::{Fire, Listed, list, note, started, trigger};

pub(crate) use fires::STATEMENTS as FIRE_STATEMENTS;

use crate::text::storable;
use crate::{Result, tasks};

/// Hosts say at least so often that somebody looks at a task's schedule, milliseconds: far more often than an absence
/// would be taken for one.
const LOOK_MS: i64 = 10_000;

const ENSURE: Stmt = Stmt::new(
    "runs.schedule_ensure",
    "insert into annals_schedule (task, planned_until) values (?, ?) on conflict (task) do nothing",
);
const LOOK: Stmt = Stmt::new(
    "runs.schedule_look",
    "select planned_until, (select min(due_at) from annals_schedule_fire f
       where f.task = s.task and f.outcome = 'waiting') from annals_schedule s where task = ?",
);
const NOW: Stmt = Stmt::new("runs.schedule_now", "select {now_ms}");
const LOCK: Stmt = Stmt::new(
    "runs.schedule_lock",
    "select planned_until, paused_at, pause_note from annals_schedule where task = ? {skip_locked}",
);
const STATE: Stmt = Stmt::new(
    "runs.schedule_state",
    "select planned_until, paused_at, pause_note from annals_schedule where task = ?",
);
const HOLD: Stmt = Stmt::new(
    "runs.schedule_hold",
    "update annals_schedule set planned_until = planned_until where task = ?",
);
const MOVE: Stmt = Stmt::new(
    "runs.schedule_move",
    "update annals_schedule set planned_until = ? where task = ? and planned_until < ?",
);
const PAUSE: Stmt = Stmt::new(
    "runs.schedule_pause",
    "update annals_schedule set paused_at = ?, pause_note = ? where task = ? and paused_at is null",
);
const RESUME: Stmt = Stmt::new(
    "runs.schedule_resume",
    "update annals_schedule set paused_at = null, pause_note = null where task = ?",
);

pub(crate) const STATEMENTS: &[Stmt] = &[ENSURE, LOOK, NOW, LOCK, STATE, HOLD, MOVE, PAUSE, RESUME];

/// What the ledger says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// All fires planned up to here are decided on; epoch milliseconds.
    pub planned_until_ms: i64,
    /// Whether it is paused.
    pub pause: Option<Pause>,
}

/// What fires are planned of: an entry of the ledger, and the task whose runs are in its way.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'e> {
    /// Under which the ledger has it.
    pub name: &'e str,
    /// The task that is executed.
    pub task: &'e str,
}

impl<'e> From<&'e str> for Entry<'e> {
    /// A task that the ledger has under its own name.
    fn from(task: &'e str) -> Self {
        Self { name: task, task }
    }
}

/// What a look at a task's schedule led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tick {
    /// Start this fire.
    pub start: Option<Waiting>,
    /// So many fires were given an outcome or put in line.
    pub decided: usize,
    /// There are more of them: look again at once.
    pub more: bool,
}

/// The database's clock, epoch milliseconds.
///
/// # Errors
/// From the database.
pub async fn now_ms(tx: &mut Tx) -> Result<i64> {
    Ok(tx.fetch_one(&NOW, Vec::new()).await?.required_int(0)?)
}

/// What the ledger says of a task; `None` before any host has looked at it.
///
/// # Errors
/// From the database.
pub async fn state(tx: &mut Tx, task: &str) -> Result<Option<State>> {
    read(tx, &STATE, task).await
}

/// Whether [`tick`] has anything to do now: a question that locks nothing, to be asked every second.
///
/// # Errors
/// From the database.
pub async fn has_work(tx: &mut Tx, task: &str, schedule: Option<&Schedule>, now_ms: i64) -> Result<bool> {
    let Some(row) = tx.fetch_optional(&LOOK, vec![task.into()]).await? else { return Ok(true) };
    let until_ms = row.required_int(0)?;
    let planned = schedule.and_then(|schedule| schedule.cadence.next(until_ms));
    let reached = [planned, row.int(1)?].into_iter().flatten().any(|ms| ms <= now_ms);
    Ok(reached || now_ms - until_ms >= LOOK_MS)
}

/// Decides on all fires of a task up to now. A task without a schedule has none but those that somebody asks for.
/// Nothing happens where another host is at it.
///
/// # Errors
/// From the database.
pub async fn tick<'e>(
    tx: &mut Tx,
    entry: impl Into<Entry<'e>>,
    schedule: Option<&Schedule>,
    host: &str,
    now_ms: i64,
) -> Result<Tick> {
    let Entry { name: task, task: executed } = entry.into();
    tx.execute(&ENSURE, vec![task.into(), now_ms.into()]).await?;
    let Some(state) = read(tx, &LOCK, task).await? else { return Ok(Tick::default()) };
    let mut waiting = fires::waiting(tx, task).await?;
    let mut tick = Tick::default();
    let mut until_ms = now_ms;
    if let Some(schedule) = schedule {
        let pause = state.pause.as_ref();
        let plan = plan(task, schedule, pause, state.planned_until_ms, now_ms, &waiting);
        fires::insert(tx, task, host, now_ms, &plan.fires).await?;
        for reached in &plan.overtaken {
            fires::settle(tx, task, now_ms, reached).await?;
        }
        tick.decided = plan.fires.len() + plan.overtaken.len();
        tick.more = plan.until_ms < now_ms;
        until_ms = plan.until_ms;
        if tick.decided > 0 {
            waiting = fires::waiting(tx, task).await?;
        }
    }
    tx.execute(&MOVE, vec![until_ms.into(), task.into(), until_ms.into()]).await?;
    let holder = tasks::holder(tx, executed).await?;
    let running = holder.filter(|holder| holder.driven).map(|holder| holder.run_id);
    let overlap = schedule.map_or(Overlap::Skip, |schedule| schedule.overlap);
    let due = due(&waiting, running, state.pause.as_ref(), overlap, now_ms);
    for (fire, reason) in &due.skip {
        fires::skip(tx, task, now_ms, fire, reason).await?;
    }
    tick.decided += due.skip.len();
    tick.start = due.start;
    Ok(tick)
}

/// Pauses a task; `false` if it is paused already. What was planned before is still started.
///
/// # Errors
/// From the database.
pub async fn pause(tx: &mut Tx, task: &str, note: &str) -> Result<bool> {
    let now_ms = now_ms(tx).await?;
    tx.execute(&ENSURE, vec![task.into(), now_ms.into()]).await?;
    Ok(tx.execute(&PAUSE, vec![now_ms.into(), storable(note).into(), task.into()]).await? == 1)
}

/// Lets a paused task go on; `false` if it is not paused. What was planned while it was paused has been skipped, whether
/// a host was there or not.
///
/// # Errors
/// From the database.
pub async fn resume<'e>(
    tx: &mut Tx,
    entry: impl Into<Entry<'e>>,
    schedule: Option<&Schedule>,
    host: &str,
) -> Result<bool> {
    let entry = entry.into();
    let task = entry.name;
    // Held, so that no host plans meanwhile.
    tx.execute(&HOLD, vec![task.into()]).await?;
    if state(tx, task).await?.is_none_or(|state| state.pause.is_none()) {
        return Ok(false);
    }
    let now_ms = now_ms(tx).await?;
    while tick(tx, entry, schedule, host, now_ms).await?.more {}
    tx.execute(&RESUME, vec![task.into()]).await?;
    Ok(true)
}

async fn read(tx: &mut Tx, stmt: &Stmt, task: &str) -> Result<Option<State>> {
    let Some(row) = tx.fetch_optional(stmt, vec![task.into()]).await? else { return Ok(None) };
    let note = row.text(2)?.unwrap_or_default().to_owned();
    Ok(Some(State {
        planned_until_ms: row.required_int(0)?,
        pause: row.int(1)?.map(|since_ms| Pause { since_ms, note }),
    }))
}
