//! The beginning of a run: lock, banners, horizon, qualified objects shared out.

use std::collections::BTreeSet;

use annals_config::banner::{self, Banner};
use annals_config::task::Task;
use annals_config::{Config, extract::ExtractConfig};
use annals_model::schedule::Waiting;
use annals_model::{Counters, ObjectType, TaskStatus, error_chain};
use annals_runs::{
    NewRun, RunMessage, RunState, Trigger, config_version, partitions, run, schedule, suspects, tasks,
    timestamp,
};
use annals_source::Source;
use annals_sql::{Db, Tx};

use crate::Error;
use crate::finish::{by_type, end};
use crate::qualify::share_out;
use crate::reconcile::Report;
use crate::unread::record_unread;

/// A first load of fewer objects is done before its indexes are worth leaving away.
const FIRST_LOAD_MIN: u64 = 1_000;

/// A task about to be executed.
#[derive(Clone, Copy)]
pub struct Dispatch<'d> {
    /// The history database.
    pub history: &'d Db,
    /// The identity system.
    pub source: &'d Source,
    /// The configuration in force; the run keeps it to its end (TRAP-17).
    pub config: &'d Config,
    /// The task.
    pub task: &'d Task,
    /// Worker slots of all hosts.
    pub worker_slots: u32,
    /// This host.
    pub host: &'d str,
    /// What made the run start.
    pub trigger: Trigger,
    /// What it reads.
    pub scope: Scope<'d>,
    /// The fire of the schedule ledger that it is executed for: its outcome and the run are recorded together (TRAP-11).
    pub fire: Option<&'d Waiting>,
}

/// What a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'d> {
    /// Everything that qualifies for its task; the task's named timestamp moves.
    Task,
    /// These objects, changed or not, of a type that the task is configured for; the named timestamp stays.
    Objects(ObjectType, &'d [String]),
    /// What differs between source and history, of all the task's types or of one, and what was found is reported; the
    /// named timestamp stays.
    Reconcile(Option<ObjectType>, &'d Report),
}

/// What became of the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// There is nothing to do, or nothing can be done: the run has ended.
    Ended(i64),
    /// Partitions wait to be claimed.
    Running {
        /// The run.
        run_id: i64,
        /// Objects in its partitions.
        objects: u64,
        /// Number of partitions.
        partitions: usize,
    },
}

impl Begun {
    /// Number of the run.
    #[must_use]
    pub const fn run_id(&self) -> i64 {
        match self {
            Self::Ended(run_id) | Self::Running { run_id, .. } => *run_id,
        }
    }
}

/// Begins a run of a task. Its partitions and chunks are stored together with its change of state, or not at all.
///
/// # Errors
/// From the source or the history database; a run that was recorded then has ended in error, with the reason among its
/// messages. `FireTaken`: nothing is recorded.
pub async fn begin(dispatch: Dispatch<'_>) -> Result<Begun, Error> {
    let overlap_ms = dispatch.config.service.source.overlap_ms;
    let horizon = match dispatch.source.horizon(overlap_ms).await {
        Ok(horizon) => horizon,
        Err(error) => {
            let Dispatch { history, config, task, trigger, host, fire, .. } = dispatch;
            // A fire waits for the source, and says so itself.
            if fire.is_none() {
                record_unread(history, config, task, trigger, host, &error).await?;
            }
            return Err(error.into());
        }
    };
    if let Some(blind) = &horizon.blind {
        tracing::warn!(
            "the source's open transactions are unknown, so that only source.overlapSeconds = {} guards late commits: {blind}",
            overlap_ms / 1_000
        );
    }
    let (run_id, since_ms) = match record(dispatch, horizon.at_ms).await? {
        Recorded::Locked(run_id) => return Ok(Begun::Ended(run_id)),
        Recorded::Begun { run_id, since_ms } => (run_id, since_ms),
    };
    match dispatch_objects(dispatch, run_id, since_ms).await {
        Ok(begun) => Ok(begun),
        Err(error) => {
            let message = RunMessage { status: TaskStatus::Error, text: error_chain(&error) };
            let mut tx = dispatch.history.begin().await?;
            run::add_messages(&mut tx, run_id, &[message]).await?;
            let counters = Counters::default();
            end(&mut tx, dispatch.task, run_id, TaskStatus::Error, &counters, &serde_json::Value::Null)
                .await?;
            tx.commit().await?;
            Err(error)
        }
    }
}

enum Recorded {
    Locked(i64),
    Begun { run_id: i64, since_ms: Option<i64> },
}

/// Records the run and takes the task's lock; without the lock the run ends at once.
async fn record(dispatch: Dispatch<'_>, horizon_ms: i64) -> Result<Recorded, Error> {
    let task = dispatch.task;
    let mut tx = dispatch.history.begin().await?;
    tasks::ensure(&mut tx, &task.name, &task.extract_configuration).await?;
    let since_ms = timestamp::get(&mut tx, &task.name).await?;
    let new = NewRun {
        task: task.name.clone(),
        trigger: dispatch.trigger,
        host: dispatch.host.to_owned(),
        config_version: config_version::record(&mut tx, &dispatch.config.snapshot).await?,
        since_ms,
        horizon_ms,
    };
    let run_id = run::begin(&mut tx, &new).await?;
    let holder = tasks::holder(&mut tx, &task.name).await?;
    let locked = tasks::lock(&mut tx, &task.name, run_id, tasks::LOCK_STALE_MS).await?;
    if let Some(fire) = dispatch.fire
        && !(locked && schedule::started(&mut tx, &task.name, fire, run_id, dispatch.host).await?)
    {
        tx.rollback().await?;
        return Err(Error::FireTaken);
    }
    if !locked {
        let holder = holder.map_or_else(String::new, |holder| format!(" by run {}", holder.run_id));
        let text = format!("Task `{}` is being executed{holder}; try again when it has ended.", task.name);
        run::add_messages(&mut tx, run_id, &[RunMessage { status: TaskStatus::Error, text }]).await?;
        let nothing = serde_json::Value::Null;
        run::end(&mut tx, run_id, TaskStatus::Error, "LockTimeout", &Counters::default(), &nothing).await?;
        tx.commit().await?;
        return Ok(Recorded::Locked(run_id));
    }
    if let Some(dead) = holder {
        give_up_dead_run(&mut tx, dead.run_id).await?;
    }
    tx.commit().await?;
    Ok(Recorded::Begun { run_id, since_ms })
}

/// Ends a run whose host vanished; its named timestamp has not moved, so this run reads everything that it would have.
async fn give_up_dead_run(tx: &mut Tx, run_id: i64) -> Result<(), Error> {
    let text =
        "The host that dispatched this run has vanished. The next run reads its objects again.".to_owned();
    run::add_messages(tx, run_id, &[RunMessage { status: TaskStatus::Error, text }]).await?;
    for partition in partitions::list(tx, run_id).await? {
        if partition.state == "leased" {
            suspects::note_death(tx, run_id, partition.number).await?;
        }
    }
    let counters = run::get(tx, run_id).await?.counters;
    run::end(tx, run_id, TaskStatus::Terminated, "Failure", &counters, &serde_json::Value::Null).await?;
    Ok(())
}

async fn dispatch_objects(
    dispatch: Dispatch<'_>,
    run_id: i64,
    since_ms: Option<i64>,
) -> Result<Begun, Error> {
    // Where a first load broke off, they are still missing.
    annals_history::make_deferred_indexes(dispatch.history).await?;
    let banners = banner::run_banners(dispatch.config, dispatch.task);
    let messages: Vec<RunMessage> = banners.banners.iter().map(message).collect();
    let empty = ExtractConfig::default();
    let extract = dispatch.config.extracts.get(&dispatch.task.extract_configuration).unwrap_or(&empty);
    let wanted = |object_type: &ObjectType| match dispatch.scope {
        Scope::Task | Scope::Reconcile(None, _) => true,
        Scope::Objects(only, _) | Scope::Reconcile(Some(only), _) => only == *object_type,
    };
    let types: BTreeSet<ObjectType> = banners.objects.iter().copied().filter(wanted).collect();
    let mut tx = dispatch.history.begin().await?;
    run::add_messages(&mut tx, run_id, &messages).await?;
    if types.is_empty() {
        let status = messages.iter().map(|message| message.status).max().unwrap_or(TaskStatus::Success);
        let nothing = serde_json::Value::Null;
        end(&mut tx, dispatch.task, run_id, status, &Counters::default(), &nothing).await?;
        tx.commit().await?;
        return Ok(Begun::Ended(run_id));
    }
    let shared = share_out(&mut tx, dispatch, run_id, since_ms, extract, &types).await?;
    if shared.partitions.is_empty() {
        run::advance(&mut tx, run_id, RunState::Finishing, &shared.counters).await?;
    } else {
        run::advance(&mut tx, run_id, RunState::Running, &shared.counters).await?;
    }
    if shared.counters.total_object_messages >= FIRST_LOAD_MIN && annals_history::is_empty(&mut tx).await? {
        let indexes = annals_history::defer_indexes(&mut tx, run_id).await?;
        // Asked when the key is dropped already: a run that is not seen here will see that it is.
        if !run::is_alone(&mut tx, run_id).await? {
            annals_history::make_head_key(&mut tx).await?;
        }
        tracing::info!(run = run_id, "first load: {indexes} indexes are left away until its end");
    }
    let totals = by_type(&mut tx, run_id).await?;
    tx.commit().await?;
    tracing::info!(run = run_id, by_type = %totals, "{} objects qualified", shared.counters.total_object_messages);
    Ok(Begun::Running {
        run_id,
        objects: shared.partitions.iter().sum(),
        partitions: shared.partitions.len(),
    })
}

fn message(banner: &Banner) -> RunMessage {
    RunMessage { status: banner.status, text: banner.text.clone() }
}
