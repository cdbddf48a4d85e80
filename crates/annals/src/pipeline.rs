//! One run from beginning to end in this process: dispatcher, extract workers, queue, writers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_config::extract::ExtractedObject;
use annals_config::service::InterceptedRows;
use annals_config::task::Task;
use annals_dispatcher::{
    Begun, Dispatch, Findings, Finished, Report, Scope, begin, compare, finish, remove_noted,
};
use annals_extract::{ExtractSettings, Extractor, ImagePlan, Stop};
use annals_model::schedule::{Kind, Waiting};
use annals_model::{Clock, ObjectType, error_chain};
use annals_queue::{Queue, in_process};
use annals_runs::{Trigger, tasks, timestamp};
use annals_source::Source;
use annals_sql::Db;
use annals_writer::{Writer, WriterSettings};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::discarded;

/// How often the run says that it is alive.
const RENEW_EVERY: Duration = Duration::from_secs(10);

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

/// A run that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its number.
    pub run_id: i64,
    /// Its status and counters; `None` where it ended before it had any.
    pub finished: Option<Finished>,
}

impl Pipeline {
    /// Executes a task, or captures single objects by it.
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
        self.begin_and_complete(self.dispatch(task, trigger, scope), done).await
    }

    /// Executes a task for a fire of the schedule ledger; `None` if the fire was started elsewhere, or the task is being
    /// executed.
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
        match self.begin_and_complete(dispatch, done).await {
            Err(error) if matches!(error.downcast_ref(), Some(annals_dispatcher::Error::FireTaken)) => {
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    async fn begin_and_complete(&self, dispatch: Dispatch<'_>, done: Arc<Done>) -> anyhow::Result<Outcome> {
        let (run_id, objects) = match begin(dispatch).await? {
            Begun::Ended(run_id) => return Ok(Outcome { run_id, finished: None }),
            Begun::Running { run_id, objects, .. } => (run_id, objects),
        };
        done.total.store(objects, Ordering::Relaxed);
        let finished = self.complete(dispatch.task, run_id, dispatch.scope, done).await?;
        Ok(Outcome { run_id, finished: Some(finished) })
    }

    fn dispatch<'d>(&'d self, task: &'d Task, trigger: Trigger, scope: Scope<'d>) -> Dispatch<'d> {
        Dispatch {
            history: &self.history,
            source: &self.source,
            config: &self.config,
            task,
            worker_slots: self.config.service.worker_slots,
            host: &self.host,
            trigger,
            scope,
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

    /// Works on what a run that was begun has left, and finishes it.
    ///
    /// # Errors
    /// Where the end of the run could not be recorded.
    pub async fn complete(
        &self,
        task: &Task,
        run_id: i64,
        scope: Scope<'_>,
        done: Arc<Done>,
    ) -> anyhow::Result<Finished> {
        let (ended, alive) = watch::channel(());
        let renewal = tokio::spawn(renew(self.history.clone(), task.name.clone(), run_id, alive));
        let problem = self.work(task, run_id, done).await;
        let source = &self.config.service.source;
        if problem.is_none() && source.intercepted_deletes == InterceptedRows::Remove {
            remove_noted(&self.history, &self.source, &source.url, run_id).await?;
        }
        drop(ended);
        renewal.await?;
        Ok(finish(&self.history, task, run_id, scope, problem).await?)
    }

    /// Works on all partitions; what stopped the workers, if anything did.
    async fn work(&self, task: &Task, run_id: i64, done: Arc<Done>) -> Option<String> {
        let settings = &self.config.service.queue;
        let slots = self.config.service.worker_slots.max(1);
        let first_load = match annals_history::is_first_load(&self.history, run_id).await {
            Ok(first_load) => first_load,
            Err(error) => return Some(error_chain(&error)),
        };
        let writer = Arc::new(writer(&self.config, Arc::clone(&self.clock), first_load));
        self.redeliver(&writer).await;
        let last_chances = Arc::default();
        let mut writing = JoinSet::new();
        let mut extracting = JoinSet::new();
        for slot in 0..slots {
            let (queue, lane) = in_process(settings.capacity as usize, settings.message_bytes_max);
            let (writer, history, done) = (Arc::clone(&writer), self.history.clone(), Arc::clone(&done));
            writing.spawn(async move {
                let count = |messages| {
                    done.written.fetch_add(messages, Ordering::Relaxed);
                };
                writer.serve(&history, lane, count).await;
            });
            let extractor = self.extractor(task, queue, Arc::clone(&last_chances));
            let history = self.history.clone();
            let worker = format!("{}/{slot}", self.host);
            extracting.spawn(async move { extractor.work(&history, run_id, &worker).await });
        }
        let mut problem = None;
        while let Some(joined) = extracting.join_next().await {
            let failure = match joined {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error_chain(&error),
                Err(error) => format!("a worker was lost: {error}"),
            };
            tracing::error!(run = run_id, "{failure}");
            problem.get_or_insert(failure);
        }
        while let Some(joined) = writing.join_next().await {
            if let Err(error) = joined {
                problem.get_or_insert(format!("a writer was lost: {error}"));
            }
        }
        if problem.is_none() && !self.stop.asked() {
            self.redeliver(&writer).await;
        }
        if problem.is_none() && self.stop.asked() {
            problem = Some("The run was interrupted; what it had done is saved.".to_owned());
        }
        problem
    }

    /// Delivers parked messages whose time has come again (IIQ-57). A run does it before it reads anything and once
    /// more at its end; what could not be delivered waits.
    pub async fn redeliver(&self, writer: &Writer) {
        match writer.redeliver(&self.history).await {
            Ok(done) if done.written + done.dead > 0 => {
                tracing::info!(
                    written = done.written,
                    parked = done.parked,
                    dead = done.dead,
                    "parked messages delivered again"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("parked messages were not delivered again: {}", error_chain(&error)),
        }
    }

    fn extractor(&self, task: &Task, queue: Queue, last_chances: Arc<Mutex<()>>) -> Extractor {
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
                lease_ms: annals_runs::state::LEASE_MS,
            },
            stop: self.stop.clone(),
            arguments: task.arguments.clone(),
            last_chances,
        }
    }
}

/// A writer with the settings of a configuration, its log of discarded messages open.
#[must_use]
pub fn writer(config: &Config, clock: Arc<dyn Clock>, expects_new: bool) -> Writer {
    discarded::log_to(config.service.log.discarded_messages.as_deref());
    let (capture, queue) = (&config.service.capture, &config.service.queue);
    let settings = WriterSettings {
        json_format: capture.json_format,
        max_allowed_patches: capture.max_allowed_patches,
        expects_new,
        capture_max_age_days: capture.capture_max_age_days,
        audit_removed_events: capture.audit_removed_events,
        redeliveries_max: queue.redeliveries_max,
        redelivery_delay_ms: i64::from(queue.redelivery_delay_s) * 1_000,
        discarded_message_event: capture.create_discarded_message_event,
    };
    Writer::new(settings, clock)
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

/// Renews the task's lock until the run has ended, which it learns between two calls, never within one.
async fn renew(history: Db, task: String, run_id: i64, mut alive: watch::Receiver<()>) {
    while tokio::time::timeout(RENEW_EVERY, alive.changed()).await.is_err() {
        let renewed = async {
            let mut tx = history.begin().await?;
            let held = tasks::renew(&mut tx, &task, run_id).await?;
            tx.commit().await?;
            Ok::<bool, annals_runs::Error>(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(run = run_id, "the lock of task `{task}` was taken over by another run")
            }
            Err(error) => {
                tracing::warn!(run = run_id, "renewing the lock of task `{task}`: {}", error_chain(&error))
            }
        }
    }
}
