//! The scheduler role: looks at the ledger every second and executes what is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_config::task::{Task, Timed};
use annals_model::error_chain;
use annals_model::schedule::Waiting;
use annals_runs::schedule::{self, Entry};
use annals_sql::Db;
use anyhow::Context as _;
use tokio::task::{Id, JoinError, JoinSet};

use super::ticker::Ticker;
use super::{Context, Stopping};
use crate::context::open_source;
use crate::pipeline::{Done, Outcome};

/// A look at the ledger that takes longer is given up, with the connections that it was made on: the other end may have
/// gone without a word (TRAP-09).
const LOOK_MAX: Duration = Duration::from_secs(60);

/// A host that stands still in the middle of a look must not keep the others from theirs: the server ends it after so
/// many milliseconds.
const IDLE_MAX_MS: i64 = 5_000;

/// A fire that could not be started is tried again after a second, then two, four ... and this at last.
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// Serves as scheduler until it is told to stop; then waits for the runs under way to stop as well.
///
/// # Errors
/// Where the ticker cannot be started. A database that is away is waited for.
pub(super) async fn serve(context: Arc<Context>, stopping: Stopping) -> anyhow::Result<()> {
    let ticker = Ticker::start().await.context("starting the ticker")?;
    let mut ledger = context.history.with_idle_max(IDLE_MAX_MS);
    let mut runs = Runs::default();
    let tasks: Vec<Task> = context.config.tasks.values().cloned().collect();
    loop {
        tokio::select! {
            () = stopping.asked() => break,
            () = ticker.next() => {}
            Some(ended) = runs.executing.join_next_with_id() => runs.ended(&context, &ledger, ended).await,
        }
        for timed in tasks.iter().flat_map(Task::timed) {
            match tokio::time::timeout(LOOK_MAX, look(&ledger, timed, &context.host)).await {
                Ok(Ok(due)) => {
                    context.health.reached(context.clock.now_ms());
                    if let Some(fire) = due {
                        runs.start(&context, &stopping, timed, fire);
                    }
                }
                Ok(Err(error)) => context.health.troubled(error_chain(&error)),
                Err(_) => {
                    context.health.troubled(no_answer());
                    ledger = context.history.with_idle_max(IDLE_MAX_MS);
                    break;
                }
            }
        }
    }
    ticker.stop().await;
    while let Some(ended) = runs.executing.join_next_with_id().await {
        runs.ended(&context, &ledger, ended).await;
    }
    Ok(())
}

fn no_answer() -> String {
    format!("no answer from the history database within {} s", LOOK_MAX.as_secs())
}

/// Decides on the fires of a task up to now; the one that is to be started.
async fn look(db: &Db, timed: Timed<'_>, host: &str) -> Result<Option<Waiting>, annals_runs::Error> {
    let (name, schedule) = (timed.name(), timed.schedule());
    let entry = Entry { name: &name, task: &timed.task.name };
    let mut tx = db.begin_read().await?;
    let now_ms = schedule::now_ms(&mut tx).await?;
    let has_work = schedule::has_work(&mut tx, &name, schedule, now_ms).await?;
    tx.rollback().await?;
    if !has_work {
        return Ok(None);
    }
    loop {
        let mut tx = db.begin().await?;
        let tick = schedule::tick(&mut tx, entry, schedule, host, now_ms).await?;
        tx.commit().await?;
        if tick.decided > 0 {
            tracing::debug!(task = name, "{} fires of task `{name}` decided on", tick.decided);
        }
        if !tick.more {
            return Ok(tick.start);
        }
    }
}

/// The runs that this host executes, and the fires that it could not start.
#[derive(Default)]
struct Runs {
    executing: JoinSet<anyhow::Result<Option<Outcome>>>,
    fires: BTreeMap<Id, (String, Waiting)>,
    failed: BTreeMap<String, Failed>,
}

/// A fire that could not be started.
struct Failed {
    times: u32,
    again: Instant,
}

impl Runs {
    /// Starts a fire, unless it is just being started, or was not to be started a moment ago.
    fn start(&mut self, context: &Arc<Context>, stopping: &Stopping, timed: Timed<'_>, fire: Waiting) {
        let name = timed.name();
        let is_started = self.fires.values().any(|(started, _)| *started == name);
        let is_early = self.failed.get(&name).is_some_and(|failed| Instant::now() < failed.again);
        if is_started || is_early {
            return;
        }
        let (task, sweeps) = (timed.task.clone(), timed.sweeps);
        let run = execute(Arc::clone(context), stopping.clone(), task, sweeps, fire);
        let id = self.executing.spawn(run).id();
        self.fires.insert(id, (name, fire));
    }

    /// A run has ended, or was none.
    async fn ended(
        &mut self,
        context: &Context,
        db: &Db,
        ended: Result<(Id, anyhow::Result<Option<Outcome>>), JoinError>,
    ) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(anyhow::Error::new(error).context("the run was lost"))),
        };
        let Some((task, fire)) = self.fires.remove(&id) else { return };
        let Err(error) = outcome else {
            self.failed.remove(&task);
            return;
        };
        let trouble = error_chain(error.as_ref());
        let times = self.failed.get(&task).map_or(0, |failed| failed.times);
        let wait = AGAIN_MAX.min(Duration::from_secs(1 << times.min(6)));
        tracing::error!(task, "task `{task}` could not be executed: {trouble}");
        self.failed.insert(task.clone(), Failed { times: times + 1, again: Instant::now() + wait });
        // Where a run was recorded for the fire, the run has the reason, and the fire waits no more.
        let noted = async {
            let mut tx = db.begin().await?;
            schedule::note(&mut tx, &task, &fire, &format!("{}: {trouble}", context.host)).await?;
            tx.commit().await?;
            Ok::<(), annals_runs::Error>(())
        };
        match tokio::time::timeout(LOOK_MAX, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => context.health.troubled(error_chain(&error)),
            Err(_) => context.health.troubled(no_answer()),
        }
    }
}

/// Executes a fire to the end of its run; `None` if another host has started it.
async fn execute(
    context: Arc<Context>,
    stopping: Stopping,
    task: Task,
    sweeps: bool,
    fire: Waiting,
) -> anyhow::Result<Option<Outcome>> {
    let source = open_source(&context.config).await.map_err(|failure| failure.error)?;
    let pipeline = context.pipeline(Arc::new(source), &stopping);
    let outcome = pipeline.fire(Timed { task: &task, sweeps }, &fire, Arc::new(Done::default())).await?;
    if let Some(Outcome { run_id, finished }) = &outcome {
        let ended = match finished {
            Some(finished) => format!("ended: {}", finished.status.as_str()),
            None if stopping.workers().asked() => "is left to other hosts, or the next start".to_owned(),
            None => "ended before it began".to_owned(),
        };
        tracing::info!(run = run_id, task = task.name, "run {run_id} of task `{}` {ended}", task.name);
    }
    Ok(outcome)
}
