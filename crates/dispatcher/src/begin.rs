//! The beginning of a run: lock, banners, horizon, qualified objects shared out.

use std::collections::BTreeSet;

use annals_config::banner::{self, Banner};
use annals_config::service::{Replica, SourceDb};
use annals_config::task::{Task, Timed};
use annals_config::{Config, extract::ExtractConfig};
use annals_model::schedule::Waiting;
use annals_model::{Counters, ObjectType, TaskStatus, error_chain};
use annals_runs::{
    Driver, Held, Leases, NewRun, Run, RunLease, RunMessage, RunScope, RunState, Trigger, config_version,
    driver, partitions, run, schedule, tasks, timestamp,
};
use annals_source::{Horizon, HorizonKind, Source};
use annals_sql::{Db, Tx, fault};

use crate::Error;
use crate::finish::{by_type, end, summed};
use crate::qualify::share_out;
use crate::reconcile::Report;
use crate::unread::record_unread;

/// How long the transaction that shares objects out may wait for the source at a time.
const SHARE_OUT_IDLE_MS: i64 = 600_000;

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
    /// This process, which dispatches the run, and finishes it unless it dies before.
    pub driver: Driver,
    /// Where its leases are renewed.
    pub leases: &'d Leases,
    /// The run that it executes again: what that one was to read is read, and the two are linked.
    pub again: Option<&'d Run>,
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

impl<'d> Scope<'d> {
    /// As a run was recorded with it; what a comparison finds is told to `report`.
    #[must_use]
    pub fn of(run: &'d Run, report: &'d Report) -> Self {
        match &run.scope {
            Some(RunScope::Objects { object_type, ids }) => Self::Objects(*object_type, ids),
            Some(RunScope::Reconcile { object_type }) => Self::Reconcile(*object_type, report),
            None => Self::Task,
        }
    }

    fn recorded(self) -> Option<RunScope> {
        match self {
            Self::Task => None,
            Self::Objects(object_type, ids) => Some(RunScope::Objects { object_type, ids: ids.to_vec() }),
            Self::Reconcile(object_type, _) => Some(RunScope::Reconcile { object_type }),
        }
    }
}

/// What became of the beginning.
#[derive(Debug)]
pub enum Begun {
    /// There is nothing to do, or nothing can be done: the run has ended.
    Ended(i64),
    /// Nothing was begun: this run of the task has not ended, and nobody drives it any more.
    Orphaned(i64),
    /// Partitions wait to be claimed.
    Running {
        /// The right to finish the run.
        lease: RunLease,
        /// Has it renewed.
        held: Held,
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
            Self::Ended(run_id) | Self::Orphaned(run_id) => *run_id,
            Self::Running { lease, .. } => lease.run_id,
        }
    }
}

/// Begins a run of a task. Its partitions and chunks are stored together with its change of state, or not at all.
///
/// # Errors
/// From the source or the history database; a run that was recorded then has ended in error, with the reason among its
/// messages.
pub async fn begin(dispatch: Dispatch<'_>) -> Result<Begun, Error> {
    let horizon = match horizon(dispatch).await {
        Ok(horizon) => horizon,
        Err(error) => {
            let Dispatch { history, config, task, trigger, host, fire, .. } = dispatch;
            // A fire waits for the source, and says so itself.
            if fire.is_none() {
                record_unread(history, config, task, trigger, host, &error).await?;
            }
            return Err(error);
        }
    };
    match record(dispatch, &horizon).await? {
        Recorded::Locked(run_id) => Ok(Begun::Ended(run_id)),
        Recorded::Orphaned(run_id) => Ok(Begun::Orphaned(run_id)),
        Recorded::Begun { lease, since_ms } => dispatch_recorded(dispatch, lease, since_ms).await,
    }
}

/// How far a run that begins now will have read; what stands in the way of telling is logged.
async fn horizon(dispatch: Dispatch<'_>) -> Result<Horizon, Error> {
    let SourceDb { overlap_ms, replica, .. } = dispatch.config.service.source;
    let horizon = dispatch.source.horizon(overlap_ms).await?;
    let Some(blind) = &horizon.blind else { return Ok(horizon) };
    match horizon.kind {
        HorizonKind::OfReplica if replica == Replica::Refuse => return Err(Error::NotPrimary(blind.clone())),
        HorizonKind::Stays => tracing::warn!("{blind}"),
        HorizonKind::OfReplica | HorizonKind::Plain => tracing::warn!(
            "the source's open transactions are unknown, so that only source.overlapSeconds = {} guards late commits: {blind}",
            overlap_ms / 1_000
        ),
    }
    Ok(horizon)
}

/// Dispatches a run whose driver died before it had partitions, with the horizon that it has.
///
/// # Errors
/// As [`begin`]; `StaleDriver` where somebody else dispatched it meanwhile.
pub async fn dispatch_again(dispatch: Dispatch<'_>, run: &Run, lease: RunLease) -> Result<Begun, Error> {
    dispatch_recorded(dispatch, lease, run.since_ms).await
}

async fn dispatch_recorded(
    dispatch: Dispatch<'_>,
    lease: RunLease,
    since_ms: Option<i64>,
) -> Result<Begun, Error> {
    let held = dispatch.leases.hold(lease);
    match dispatch_objects(dispatch, lease, since_ms, held).await {
        Ok(begun) => Ok(begun),
        Err(error) => {
            let message = RunMessage { status: TaskStatus::Error, text: error_chain(&error) };
            let mut tx = dispatch.history.begin().await?;
            // The run of another driver is not this one's to end.
            if driver::lock_to_finish(&mut tx, &lease).await? {
                // There are some where the dispatch was committed, and only the answer got lost.
                partitions::close(&mut tx, lease.run_id).await?;
                run::add_messages(&mut tx, lease.run_id, &[message]).await?;
                // Then it has qualified objects, too, without whose number it could not be resumed.
                let run = run::get(&mut tx, lease.run_id).await?;
                let (counters, nothing) = (summed(&mut tx, &run).await?, serde_json::Value::Null);
                end(&mut tx, dispatch.task, lease.run_id, TaskStatus::Error, &counters, &nothing).await?;
            }
            tx.commit().await?;
            Err(error)
        }
    }
}

enum Recorded {
    Locked(i64),
    Orphaned(i64),
    Begun { lease: RunLease, since_ms: Option<i64> },
}

/// Records the run and takes the task's lock; without the lock the run ends at once.
async fn record(dispatch: Dispatch<'_>, horizon: &Horizon) -> Result<Recorded, Error> {
    let task = dispatch.task;
    let mut tx = dispatch.history.begin().await?;
    tasks::ensure(&mut tx, &task.name, &task.extract_configuration).await?;
    let holder = tasks::holder(&mut tx, &task.name).await?;
    if let Some(holder) = holder
        && is_orphaned(&mut tx, holder.run_id).await?
    {
        tx.rollback().await?;
        return Ok(Recorded::Orphaned(holder.run_id));
    }
    let mut since_ms = timestamp::get(&mut tx, &task.name).await?;
    // What began after the last horizon is dated after it. Before the first one there is nothing to go by: all is read
    // once more.
    let horizon_ms = match horizon.kind {
        HorizonKind::Stays => horizon.at_ms.min(since_ms.unwrap_or_default()),
        HorizonKind::Plain | HorizonKind::OfReplica => horizon.at_ms,
    };
    if let Some(again) = dispatch.again {
        since_ms = since_ms.min(again.since_ms);
    }
    let new = NewRun {
        task: task.name.clone(),
        trigger: dispatch.trigger,
        host: dispatch.host.to_owned(),
        config_version: config_version::record(&mut tx, &dispatch.config.snapshot).await?,
        since_ms,
        horizon_ms,
        scope: dispatch.scope.recorded(),
        follows: dispatch.again.map(|run| run.id),
        driver: Some(dispatch.driver),
    };
    let lease = run::begin(&mut tx, &new).await?;
    let run_id = lease.run_id;
    if let (HorizonKind::Stays | HorizonKind::OfReplica, Some(blind)) = (horizon.kind, &horizon.blind) {
        let message = RunMessage { status: TaskStatus::Warning, text: blind.clone() };
        run::add_messages(&mut tx, run_id, &[message]).await?;
    }
    let locked = tasks::lock(&mut tx, &task.name, run_id).await?;
    let timed = Timed { task, sweeps: matches!(dispatch.scope, Scope::Reconcile(..)) };
    if let Some(fire) = dispatch.fire
        && !(locked && schedule::started(&mut tx, &timed.name(), fire, run_id, dispatch.host).await?)
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
    fault::point("dispatcher.recording")?;
    tx.commit().await?;
    fault::point("dispatcher.recorded")?;
    Ok(Recorded::Begun { lease, since_ms })
}

/// Whether a run has not ended, and nobody drives it any more.
async fn is_orphaned(tx: &mut Tx, run_id: i64) -> Result<bool, Error> {
    match driver::standing(tx, run_id).await {
        Ok(standing) => Ok(standing.state != RunState::Ended && standing.orphaned),
        Err(annals_runs::Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn dispatch_objects(
    dispatch: Dispatch<'_>,
    lease: RunLease,
    since_ms: Option<i64>,
    held: Held,
) -> Result<Begun, Error> {
    let run_id = lease.run_id;
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
    tx.allow_idle(SHARE_OUT_IDLE_MS).await?;
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
        run::advance(&mut tx, &lease, RunState::Finishing, &shared.counters).await?;
    } else {
        run::advance(&mut tx, &lease, RunState::Running, &shared.counters).await?;
    }
    if shared.counters.total_object_messages >= FIRST_LOAD_MIN && annals_history::is_empty(&mut tx).await? {
        let indexes = annals_history::defer_indexes(&mut tx, run_id).await?;
        // Asked when the key is dropped already: a run that is not seen here will see that it is.
        if !run::is_alone(&mut tx, run_id).await? {
            annals_history::make_head_key(&mut tx).await?;
        }
        tracing::info!(run = run_id, "first load: {indexes} indexes are left away until its end");
    }
    if let Scope::Reconcile(_, report) = dispatch.scope {
        let text = report.findings().to_string();
        run::add_messages(&mut tx, run_id, &[RunMessage { status: TaskStatus::Success, text }]).await?;
    }
    let totals = by_type(&mut tx, run_id).await?;
    fault::point("dispatcher.sharing")?;
    tx.commit().await?;
    fault::point("dispatcher.shared")?;
    tracing::info!(run = run_id, by_type = %totals, "{} objects qualified", shared.counters.total_object_messages);
    Ok(Begun::Running {
        lease,
        held,
        objects: shared.partitions.iter().sum(),
        partitions: shared.partitions.len(),
    })
}

fn message(banner: &Banner) -> RunMessage {
    RunMessage { status: banner.status, text: banner.text.clone() }
}
