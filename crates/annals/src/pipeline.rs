//! Runs in this process: dispatcher, extract workers, queue, writers. Other processes may work on the same run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_config::extract::ExtractedObject;
use annals_config::task::Task;
use annals_dispatcher::{
    Begun, Dispatch, Finished, Reopened, Scope, begin, cancel, dispatch_again, finish, reopen,
};
use annals_extract::{ExtractSettings, Extractor, ImagePlan, Stop};
use annals_model::schedule::{Kind, Waiting};
use annals_model::{Clock, ObjectType, error_chain};
use annals_queue::{Queue, in_process};
use annals_runs::driver::Standing;
use annals_runs::{Run, RunLease, RunState, Trigger, config_version, driver, hosts, run as runs};
use annals_source::Source;
use annals_sql::{Db, ErrorKind};
use annals_writer::{Writer, WriterSettings};
use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::context::{environment, open_source};
use crate::presence::Presence;

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

/// What ended the work in a slot.
#[derive(Debug)]
pub(crate) enum Worked {
    /// A partition failed, and told the run why, or the failure will pass.
    Failed(String),
    /// Nothing could be claimed, or written at all.
    Stopped(String),
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
        let dispatch = self.dispatch(task, Trigger::Adhoc, Scope::of(run));
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
        task: &Task,
        fire: &Waiting,
        done: Arc<Done>,
    ) -> anyhow::Result<Option<Outcome>> {
        let trigger = if fire.kind == Kind::Asked { Trigger::Adhoc } else { Trigger::Scheduled };
        let dispatch = Dispatch { fire: Some(fire), ..self.dispatch(task, trigger, Scope::Task) };
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
        let mut given_up = None;
        loop {
            let again = given_up.as_ref().or(dispatch.again);
            match begin(Dispatch { again, ..dispatch }).await? {
                Begun::Ended(run_id) => return Ok(Outcome { run_id, finished: None }),
                Begun::Running { lease, objects, held: _held, .. } => {
                    done.total.store(objects, Ordering::Relaxed);
                    let finished = self.drive(dispatch.task, lease, part, done).await?;
                    return Ok(Outcome { run_id: lease.run_id, finished });
                }
                Begun::Orphaned(run_id) if orphans == Orphans::GivenUp => {
                    cancel(&self.history, run_id, "It was left unfinished, and given up for a new run.")
                        .await?;
                    given_up = Some(self.run(run_id).await?);
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
        let run = self.run(run_id).await?;
        let pipeline = self.with_configuration_of(&run).await?;
        let mut tx = self.history.begin().await?;
        let adopted = driver::adopt(&mut tx, run_id, self.presence.driver()).await?;
        tx.commit().await?;
        let Some(lease) = adopted else { return Ok(None) };
        let _held = self.presence.leases().hold(lease);
        let task = task_of(&pipeline.config, &run)?;
        // As it stands now: until it was adopted, its driver may have moved it on.
        let run = self.run(run_id).await?;
        if run.state == RunState::Dispatching {
            let dispatch = pipeline.dispatch(task, Trigger::Adhoc, Scope::of(&run));
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
                return Ok(Ok(pipeline.drive(task, lease, Part::Whole, done).await?));
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
                let finished =
                    patiently(|| async { Ok(finish(&self.history, task, lease, problem.clone()).await?) });
                if let Some(finished) = finished.await? {
                    return Ok(Some(finished));
                }
            } else if self.stop.asked() {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether a run is left to other processes when this one stops: a run by hand ends with its process where no other
    /// would go on with it.
    async fn leaves(&self, part: Part) -> anyhow::Result<bool> {
        let mut tx = self.history.begin_read().await?;
        Ok(part == Part::EndsOnly || hosts::others_extract(&mut tx, self.presence.driver().host).await?)
    }

    async fn standing(&self, run_id: i64) -> anyhow::Result<Standing> {
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
        let mut tx = self.history.begin_read().await?;
        let snapshot = config_version::snapshot(&mut tx, run.config_version).await?;
        tx.rollback().await?;
        let snapshot: serde_json::Value = serde_json::from_str(&snapshot)
            .with_context(|| format!("configuration version {}", run.config_version))?;
        if snapshot == self.config.snapshot {
            return Ok(self.clone());
        }
        let config = self.config.of_snapshot(&snapshot, &environment).map_err(|problems| {
            anyhow::anyhow!("the configuration that run {} began with: {problems}", run.id)
        })?;
        let source = open_source(&config).await.map_err(|failure| failure.error)?;
        Ok(Self { config: Arc::new(config), source: Arc::new(source), ..self.clone() })
    }

    /// Works on the partitions of a run that nobody works on, with all worker slots; what stopped the workers, if anything
    /// did. A partition that fails has told the run why.
    async fn work(&self, task: &Task, run_id: i64, done: &Arc<Done>) -> Option<String> {
        let scouted = patiently(|| async {
            let standing = self.standing(run_id).await?;
            Ok((standing.claimable > 0, self.writer().await?))
        });
        let writer = match scouted.await {
            Ok((false, _)) => return None,
            Ok((true, writer)) => Arc::new(writer),
            Err(error) => return Some(format!("{error:#}")),
        };
        let mut working = JoinSet::new();
        for slot in 0..self.config.service.worker_slots.max(1) {
            let (pipeline, task) = (self.clone(), task.clone());
            let (writer, done) = (Arc::clone(&writer), Arc::clone(done));
            working.spawn(async move { pipeline.work_slot(&task, run_id, slot, writer, done).await });
        }
        let mut problem = None;
        while let Some(joined) = working.join_next().await {
            let failure = match joined {
                Ok(Ok(_)) => continue,
                Ok(Err(Worked::Failed(failure))) => {
                    tracing::error!(run = run_id, "{failure}");
                    continue;
                }
                Ok(Err(Worked::Stopped(failure))) => failure,
                Err(error) => format!("a worker was lost: {error}"),
            };
            tracing::error!(run = run_id, "{failure}");
            problem.get_or_insert(failure);
        }
        problem
    }

    /// Works on partitions of a run in one worker slot, with a writer of its own beside it, until there is none left; the
    /// number of partitions that it ended.
    pub(crate) async fn work_slot(
        &self,
        task: &Task,
        run_id: i64,
        slot: u32,
        writer: Arc<Writer>,
        done: Arc<Done>,
    ) -> Result<u32, Worked> {
        let settings = &self.config.service.queue;
        let (queue, lane) = in_process(settings.capacity as usize, settings.message_bytes_max);
        let history = self.history.clone();
        let writing = tokio::spawn(async move {
            let count = |messages| {
                done.written.fetch_add(messages, Ordering::Relaxed);
            };
            writer.serve(&history, lane, count).await;
        });
        let extractor = self.extractor(task, queue);
        let worker = format!("{}:{}/{slot}", self.host, std::process::id());
        let worked = extractor.work(&self.history, run_id, &worker).await;
        // The writer's lane ends with its only sender.
        drop(extractor);
        writing.await.map_err(|error| Worked::Stopped(format!("a writer was lost: {error}")))?;
        worked.map_err(|error| match error {
            annals_extract::Error::Claim { .. } if !error.is_passing() => {
                Worked::Stopped(error_chain(&error))
            }
            _ => Worked::Failed(error_chain(&error)),
        })
    }

    pub(crate) async fn writer(&self) -> Result<Writer, annals_history::Error> {
        let expects_new = annals_history::is_first_load(&self.history).await?;
        let capture = &self.config.service.capture;
        let settings = WriterSettings {
            json_format: capture.json_format,
            max_allowed_patches: capture.max_allowed_patches,
            expects_new,
            capture_max_age_days: capture.capture_max_age_days,
        };
        Ok(Writer::new(settings, Arc::clone(&self.clock)))
    }

    fn extractor(&self, task: &Task, queue: Queue) -> Extractor {
        let service = &self.config.service;
        let banners = run_banners(&self.config, task);
        let transform = banners.transform.map_or("", |transform| transform.name.as_str());
        Extractor {
            source: Arc::clone(&self.source),
            source_name: Arc::from(self.config.profile().name.as_str()),
            transform: Arc::from(transform),
            plans: Arc::new(image_plans(&self.config, task)),
            queue,
            settings: ExtractSettings {
                batch_objects_max: service.queue.batch_objects_max,
                batch_bytes_max: service.queue.batch_bytes_max,
                waiting_max: service.queue.capacity as usize,
                document_bytes_max: service.limits.document_bytes_max,
                nesting_max: service.limits.nesting_max,
                lease_ms: self.presence.driver().lease_ms,
            },
            stop: self.stop.clone(),
            leases: self.presence.leases().clone(),
        }
    }
}

/// How the images of a task are made, by object type.
#[must_use]
pub fn image_plans(config: &Config, task: &Task) -> BTreeMap<ObjectType, ImagePlan> {
    let banners = run_banners(config, task);
    let (Some(extract), Some(transform)) = (banners.extract, banners.transform) else {
        return BTreeMap::new();
    };
    let all = ExtractedObject::default();
    banners
        .objects
        .iter()
        .filter_map(|object_type| {
            let profile = config.profile().object_types.get(object_type)?;
            let image = transform.images.get(object_type)?;
            let extracted = extract.objects.get(object_type).unwrap_or(&all);
            Some((*object_type, ImagePlan::new(*object_type, profile, image, extracted)))
        })
        .collect()
}

/// Repeats a step for a while where the history database cannot be reached, or somebody was in the way.
async fn patiently<T, S, F>(step: S) -> anyhow::Result<T>
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
