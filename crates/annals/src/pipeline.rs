//! Runs in this process: dispatcher, extract workers, queue, writers. Other processes may work on the same run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_config::service::InterceptedRows;
use annals_config::task::{Task, Timed};
use annals_dispatcher::{
    Begun, Dispatch, Findings, Finished, Reopened, Report, Scope, begin, compare, dispatch_again, finish,
    give_up, remove_noted, reopen,
};
use annals_extract::{Stop, TRACED};
use annals_model::schedule::{Kind, Waiting};
use annals_model::{Clock, ObjectType};
use annals_runs::driver::Standing;
use annals_runs::{Run, RunLease, RunState, Trigger, config_version, driver, hosts, run as runs, timestamp};
use annals_source::Source;
use annals_sql::{Db, ErrorKind};
use anyhow::Context as _;
use tracing::Instrument as _;

use crate::clean_up;
use crate::context::{environment, open_source};
use crate::presence::Presence;
use crate::traces;

/// How often it is looked what there is to do, where nothing tells: what a dead process left is begun within a second.
pub(crate) const POLL: Duration = Duration::from_millis(300);

/// How long a run waits for a history database that cannot be reached; then it is left for whoever takes it up.
const PATIENCE: Duration = Duration::from_secs(60);
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What runs are executed with.
#[derive(Clone)]
pub struct Pipeline {
    /// Configuration in force.
    pub config: Arc<Config>,
    /// The history database.
    pub history: Db,
    /// The identity system.
    pub source: Arc<Source>,
    /// Time for what is recorded.
    pub clock: Arc<dyn Clock>,
    /// Name of this host.
    pub host: String,
    /// This process among the others that work on the same history database.
    pub presence: Arc<Presence>,
    /// Asks workers to stop after the batch in hand.
    pub stop: Stop,
}

/// How far a run, or whatever else goes through many things, has come.
#[derive(Debug, Default)]
pub struct Done {
    /// Objects that it has to go through; 0 until that is known.
    pub total: AtomicU64,
    /// Objects that are written.
    pub written: AtomicU64,
}

/// A run that was executed.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its number.
    pub run_id: i64,
    /// Its status and counters; `None` where it ended before it had any, or was left to other processes.
    pub finished: Option<Finished>,
}

/// What this process does of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All that others leave: its partitions and its end.
    Whole,
    /// Its beginning and its end; partitions are worked on elsewhere.
    EndsOnly,
}

/// What becomes of a run that nobody drives any more when its task is executed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphans {
    /// It is finished first.
    First,
    /// It is given up: the new run reads what it was to read.
    GivenUp,
}

impl Pipeline {
    /// Executes a task, or captures single objects by it. A run of the task that nobody drives any more comes first: it
    /// has the task's lock.
    ///
    /// # Errors
    /// Where the run could not even be recorded. A run that fails is an outcome.
    pub async fn execute(
        &self,
        task: &Task,
        trigger: Trigger,
        scope: Scope<'_>,
        done: Arc<Done>,
    ) -> anyhow::Result<Outcome> {
        self.begin_and_drive(self.dispatch(task, trigger, scope), Orphans::First, Part::Whole, done).await
    }

    /// Executes a task, giving up what a run left that nobody drives any more: the new run reads that too, and the two
    /// are linked.
    ///
    /// # Errors
    /// As [`Pipeline::execute`].
    pub async fn execute_now(&self, task: &Task, done: Arc<Done>) -> anyhow::Result<Outcome> {
        let dispatch = self.dispatch(task, Trigger::Adhoc, Scope::Task);
        self.begin_and_drive(dispatch, Orphans::GivenUp, Part::Whole, done).await
    }

    /// Executes a task again for what a run of it was to read.
    ///
    /// # Errors
    /// As [`Pipeline::execute`].
    pub async fn execute_again(&self, task: &Task, run: &Run, done: Arc<Done>) -> anyhow::Result<Outcome> {
        let report = Report::default();
        let dispatch = self.dispatch(task, Trigger::Adhoc, Scope::of(run, &report));
        let dispatch = Dispatch { again: Some(run), ..dispatch };
        self.begin_and_drive(dispatch, Orphans::First, Part::Whole, done).await
    }

    /// Executes a task for a fire of the schedule ledger: begins the run and sees it to its end, while hosts with the role
    /// `extract` work on it. `None` if the fire was started elsewhere, or the task is being executed.
    ///
    /// # Errors
    /// Where the run could not even be recorded: then the fire waits still. A run that fails is an outcome.
    pub async fn fire(
        &self,
        timed: Timed<'_>,
        fire: &Waiting,
        done: Arc<Done>,
    ) -> anyhow::Result<Option<Outcome>> {
        let report = Report::default();
        let scope = if timed.sweeps { Scope::Reconcile(None, &report) } else { Scope::Task };
        let trigger = if fire.kind == Kind::Asked { Trigger::Adhoc } else { Trigger::Scheduled };
        let dispatch = Dispatch { fire: Some(fire), ..self.dispatch(timed.task, trigger, scope) };
        match self.begin_and_drive(dispatch, Orphans::First, Part::EndsOnly, done).await {
            Err(error) if matches!(error.downcast_ref(), Some(annals_dispatcher::Error::FireTaken)) => {
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    async fn begin_and_drive(
        &self,
        dispatch: Dispatch<'_>,
        orphans: Orphans,
        part: Part,
        done: Arc<Done>,
    ) -> anyhow::Result<Outcome> {
        let span = traces::of_run(&dispatch.task.name);
        let run = Box::pin(self.in_span_of_run(dispatch, orphans, part, done));
        let outcome = run.instrument(span.clone()).await;
        if let Ok(outcome) = &outcome {
            span.record("run", outcome.run_id);
            traces::note_end(&span, outcome.finished.as_ref());
        }
        outcome
    }

    async fn in_span_of_run(
        &self,
        dispatch: Dispatch<'_>,
        orphans: Orphans,
        part: Part,
        done: Arc<Done>,
    ) -> anyhow::Result<Outcome> {
        let mut given_up = None;
        loop {
            let again = given_up.as_ref().or(dispatch.again);
            let dispatching = tracing::error_span!(target: TRACED, "dispatch");
            match begin(Dispatch { again, ..dispatch }).instrument(dispatching).await? {
                Begun::Ended(run_id) => return Ok(Outcome { run_id, finished: None }),
                Begun::Running { lease, objects, held: _held, .. } => {
                    done.total.store(objects, Ordering::Relaxed);
                    let finished = self.drive(dispatch.task, lease, part, done).await?;
                    return Ok(Outcome { run_id: lease.run_id, finished });
                }
                Begun::Orphaned(run_id) if orphans == Orphans::GivenUp => {
                    let why = "It was left unfinished, and given up for a new run.";
                    if give_up(&self.history, run_id, why).await?.is_some() {
                        given_up = Some(self.run(run_id).await?);
                    }
                }
                Begun::Orphaned(run_id) => {
                    tracing::warn!(run = run_id, "run {run_id} was left by the process that drove it");
                    let finished = self.take_up(run_id, part, Arc::clone(&done)).await?;
                    if self.stop.asked() {
                        return Ok(Outcome { run_id, finished });
                    }
                }
            }
        }
    }

    fn dispatch<'p>(&'p self, task: &'p Task, trigger: Trigger, scope: Scope<'p>) -> Dispatch<'p> {
        Dispatch {
            history: &self.history,
            source: &self.source,
            config: &self.config,
            task,
            worker_slots: self.config.service.worker_slots,
            host: &self.host,
            trigger,
            scope,
            driver: self.presence.driver(),
            leases: self.presence.leases(),
            again: None,
            fire: None,
        }
    }

    /// Compares source and history, of all the task's types or of one, and captures what differs, in a run of its own;
    /// the task's named timestamp stays.
    ///
    /// # Errors
    /// As [`Pipeline::execute`].
    pub async fn reconcile(
        &self,
        task: &Task,
        trigger: Trigger,
        only: Option<ObjectType>,
        done: Arc<Done>,
    ) -> anyhow::Result<(Outcome, Findings)> {
        let report = Report::default();
        let outcome = self.execute(task, trigger, Scope::Reconcile(only, &report), done).await?;
        Ok((outcome, report.findings()))
    }

    /// Compares source and history and changes nothing.
    ///
    /// # Errors
    /// From the source or the history database.
    pub async fn compare(&self, task: &Task, only: Option<ObjectType>) -> anyhow::Result<Findings> {
        let since_ms = timestamp::get(&mut self.history.begin_read().await?, &task.name).await?;
        let objects = run_banners(&self.config, task).objects;
        let types = objects.into_iter().filter(|of| only.is_none_or(|only| only == *of)).collect();
        Ok(compare(self.dispatch(task, Trigger::Adhoc, Scope::Task), since_ms, &types).await?)
    }

    /// Takes over a run that nobody drives, with the configuration that it began with (TRAP-17), dispatches it if nobody
    /// has, and finishes it (IIQ-08); `None` if somebody else was faster (TRAP-08), or this process is asked to stop.
    ///
    /// # Errors
    /// Where this host lacks what the run's configuration asks for; as [`Pipeline::drive`].
    pub async fn take_up(
        &self,
        run_id: i64,
        part: Part,
        done: Arc<Done>,
    ) -> anyhow::Result<Option<Finished>> {
        let span = traces::of_run(&self.run(run_id).await?.task);
        span.record("run", run_id);
        let finished = Box::pin(self.take_up_in_span(run_id, part, done)).instrument(span.clone()).await;
        traces::note_end(&span, finished.as_ref().ok().and_then(Option::as_ref));
        finished
    }

    async fn take_up_in_span(
        &self,
        run_id: i64,
        part: Part,
        done: Arc<Done>,
    ) -> anyhow::Result<Option<Finished>> {
        let run = self.run(run_id).await?;
        let pipeline = self.with_configuration_of(&run).await?;
        let mut tx = self.history.begin().await?;
        let adopted = driver::adopt(&mut tx, run_id, self.presence.driver()).await?;
        tx.commit().await?;
        let Some(lease) = adopted else { return Ok(None) };
        self.presence.leases().note_run_adopted();
        let _held = self.presence.leases().hold(lease);
        let task = task_of(&pipeline.config, &run)?;
        // As it stands now: until it was adopted, its driver may have moved it on.
        let run = self.run(run_id).await?;
        if run.state == RunState::Dispatching {
            let report = Report::default();
            let dispatch = pipeline.dispatch(task, Trigger::Adhoc, Scope::of(&run, &report));
            match dispatch_again(dispatch, &run, lease).await {
                Ok(Begun::Running { objects, .. }) => done.total.store(objects, Ordering::Relaxed),
                Ok(Begun::Ended(_) | Begun::Orphaned(_)) => {}
                Err(annals_dispatcher::Error::Runs(annals_runs::Error::StaleDriver { .. })) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        pipeline.drive(task, lease, part, done).await
    }

    /// Goes on with a run: takes it over where nobody drives it, helps whoever does, takes it up where it failed. `Err`
    /// inside says why there is nothing to go on with.
    ///
    /// # Errors
    /// As [`Pipeline::take_up`].
    pub async fn resume(
        &self,
        run_id: i64,
        done: Arc<Done>,
    ) -> anyhow::Result<Result<Option<Finished>, Reopened>> {
        match reopen(&self.history, run_id, self.presence.driver()).await? {
            Reopened::UnderWay => {}
            Reopened::Running(lease) => {
                let _held = self.presence.leases().hold(lease);
                let run = self.run(run_id).await?;
                let pipeline = self.with_configuration_of(&run).await?;
                let task = task_of(&pipeline.config, &run)?;
                let span = traces::of_run(&run.task);
                span.record("run", run_id);
                let driven =
                    Box::pin(pipeline.drive(task, lease, Part::Whole, done)).instrument(span.clone());
                let finished = driven.await?;
                traces::note_end(&span, finished.as_ref());
                return Ok(Ok(finished));
            }
            other => return Ok(Err(other)),
        }
        let run = self.run(run_id).await?;
        let pipeline = self.with_configuration_of(&run).await?;
        let task = task_of(&pipeline.config, &run)?;
        loop {
            if let Some(finished) = self.take_up(run_id, Part::Whole, Arc::clone(&done)).await? {
                return Ok(Ok(Some(finished)));
            }
            if let Some(problem) = pipeline.work(task, run_id, &done).await {
                tracing::error!(run = run_id, "{problem}");
            }
            let run = self.run(run_id).await?;
            if let Some(status) = run.status {
                return Ok(Ok(Some(Finished { status, counters: run.counters })));
            }
            if self.stop.asked() {
                return Ok(Ok(None));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sees a run that was dispatched to its end, and finishes it; `None` if it was left to other processes.
    ///
    /// # Errors
    /// Where the end of the run could not be recorded: then it is orphaned, and taken up by whoever comes next.
    pub async fn drive(
        &self,
        task: &Task,
        lease: RunLease,
        part: Part,
        done: Arc<Done>,
    ) -> anyhow::Result<Option<Finished>> {
        let held = self.presence.leases().hold(lease);
        self.redeliver(&self.writer(lease.run_id).await?).await;
        loop {
            let mut problem = match part {
                Part::Whole => self.work(task, lease.run_id, &done).await,
                Part::EndsOnly => None,
            };
            let standing = patiently(|| self.standing(lease.run_id)).await?;
            if standing.state == RunState::Ended {
                let run = patiently(|| self.run(lease.run_id)).await?;
                return Ok(run.status.map(|status| Finished { status, counters: run.counters }));
            }
            let over = standing.open == 0 || standing.failed > 0 || problem.is_some();
            if !over && self.stop.asked() {
                if patiently(|| self.leaves(part)).await? {
                    let mut tx = self.history.begin().await?;
                    driver::leave(&mut tx, &lease).await?;
                    tx.commit().await?;
                    return Ok(None);
                }
                problem = Some("The run was interrupted; what it had done is saved.".to_owned());
            }
            if (over || problem.is_some()) && !held.lost() {
                let is_whole = standing.open == 0 && standing.failed == 0 && problem.is_none();
                let finished = patiently(|| self.finish(task, lease, is_whole, problem.clone()));
                if let Some(finished) = finished.await? {
                    return Ok(Some(finished));
                }
            } else if self.stop.asked() {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends a run, of which all was written if it `is_whole`; `None` if somebody else drives it.
    async fn finish(
        &self,
        task: &Task,
        lease: RunLease,
        is_whole: bool,
        problem: Option<String>,
    ) -> anyhow::Result<Option<Finished>> {
        let source = &self.config.service.source;
        if is_whole {
            self.redeliver(&self.writer(lease.run_id).await?).await;
        }
        if is_whole && source.intercepted_deletes == InterceptedRows::Remove {
            remove_noted(&self.history, &self.source, &source.url, lease.run_id).await?;
        }
        let finished = finish(&self.history, task, lease, problem).await?;
        clean_up::when_due(&self.history, self.config.service.run_details_days).await;
        Ok(finished)
    }

    /// Whether a run is left to other processes when this one stops: a run by hand ends with its process where no other
    /// would go on with it.
    async fn leaves(&self, part: Part) -> anyhow::Result<bool> {
        let mut tx = self.history.begin_read().await?;
        Ok(part == Part::EndsOnly || hosts::others_extract(&mut tx, self.presence.driver().host).await?)
    }

    pub(crate) async fn standing(&self, run_id: i64) -> anyhow::Result<Standing> {
        let mut tx = self.history.begin_read().await?;
        Ok(driver::standing(&mut tx, run_id).await?)
    }

    pub(crate) async fn run(&self, run_id: i64) -> anyhow::Result<Run> {
        let mut tx = self.history.begin_read().await?;
        Ok(runs::get(&mut tx, run_id).await?)
    }

    /// The same with the configuration that a run began with.
    ///
    /// # Errors
    /// Where this host lacks what it asks for: variables that are not set, a source that cannot be reached.
    pub async fn with_configuration_of(&self, run: &Run) -> anyhow::Result<Self> {
        let Some(config) = configuration_of(&self.history, &self.config, run).await? else {
            return Ok(self.clone());
        };
        let source = open_source(&config).await.map_err(|failure| failure.error)?;
        Ok(Self { config: Arc::new(config), source: Arc::new(source), ..self.clone() })
    }
}

/// The configuration that a run began with, as this host would have read it; `None` where it is the one in force here.
///
/// # Errors
/// Where this host lacks what it asks for, such as variables.
pub(crate) async fn configuration_of(
    history: &Db,
    own: &Config,
    run: &Run,
) -> anyhow::Result<Option<Config>> {
    let mut tx = history.begin_read().await?;
    let snapshot = config_version::snapshot(&mut tx, run.config_version).await?;
    tx.rollback().await?;
    let snapshot: serde_json::Value = serde_json::from_str(&snapshot)
        .with_context(|| format!("configuration version {}", run.config_version))?;
    if snapshot == own.snapshot {
        return Ok(None);
    }
    let config = own.of_snapshot(&snapshot, &environment).map_err(|problems| {
        anyhow::anyhow!("the configuration that run {} began with: {problems}", run.id)
    })?;
    Ok(Some(config))
}

/// Repeats a step for a while where the history database cannot be reached, or somebody was in the way.
pub(crate) async fn patiently<T, S, F>(step: S) -> anyhow::Result<T>
where
    S: Fn() -> F,
    F: Future<Output = anyhow::Result<T>>,
{
    let began = Instant::now();
    loop {
        match step().await {
            Err(error) if will_pass(&error) && began.elapsed() < PATIENCE => {
                tracing::warn!("tried again in a moment: {error:#}");
                tokio::time::sleep(TRY_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

fn will_pass(error: &anyhow::Error) -> bool {
    let sql = error.chain().find_map(|cause| cause.downcast_ref::<annals_sql::Error>());
    sql.is_some_and(|error| matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Conflict))
}

/// The task of a run, in the configuration that it began with.
pub(crate) fn task_of<'c>(config: &'c Config, run: &Run) -> anyhow::Result<&'c Task> {
    config.tasks.get(&run.task).with_context(|| format!("task `{}` of run {}", run.task, run.id))
}
