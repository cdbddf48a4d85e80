//! Worker slots: extract workers, each with a queue and a writer beside it, or with the way to a broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_config::extract::ExtractedObject;
use annals_config::task::Task;
use annals_extract::{ExtractSettings, Extractor, ImagePlan};
use annals_model::{Clock, ObjectType, error_chain};
use annals_queue::{Queue, in_process};
use annals_writer::{Writer, WriterSettings};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::broker::Account;
use crate::discarded;
use crate::pipeline::{Done, Pipeline, patiently};

/// An object that history knows takes about so many times the room of a new one, until it is written.
const KNOWN_OBJECTS_ROOM: usize = 4;

/// What ended the work in a slot.
#[derive(Debug)]
pub(crate) enum Worked {
    /// A partition failed, and told the run why, or the failure will pass.
    Failed(String),
    /// Nothing could be claimed, or written at all.
    Stopped(String),
}

impl Pipeline {
    /// Works on the partitions of a run that nobody works on, with all worker slots; what stopped the workers, if anything
    /// did. A partition that fails has told the run why.
    pub(crate) async fn work(&self, task: &Task, run_id: i64, done: &Arc<Done>) -> Option<String> {
        let scouted = patiently(|| async {
            match self.standing(run_id).await?.claimable {
                0 => Ok(None),
                _ => Ok(Some(self.writer(run_id).await?)),
            }
        });
        let writer = match scouted.await {
            Ok(None) => return None,
            Ok(Some(writer)) => Arc::new(writer),
            Err(error) => return Some(format!("{error:#}")),
        };
        let mut working = JoinSet::new();
        for slot in 0..self.config.service.worker_slots.max(1) {
            let (pipeline, task) = (self.clone(), task.clone());
            let (writer, done) = (Arc::clone(&writer), Arc::clone(done));
            let work = async move { pipeline.work_slot(&task, run_id, slot, writer, done).await };
            working.spawn(work.in_current_span());
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

    /// Works on partitions of a run in one worker slot, with a writer of its own beside it or with those beyond the broker,
    /// until there is none left; the number of partitions that it ended.
    pub(crate) async fn work_slot(
        &self,
        task: &Task,
        run_id: i64,
        slot: u32,
        writer: Arc<Writer>,
        done: Arc<Done>,
    ) -> Result<u32, Worked> {
        let settings = &self.config.service.queue;
        if let Some(broker) = self.presence.broker() {
            let account = Account { history: self.history.clone(), done };
            let queue = broker.queue(settings.message_bytes_max, Arc::new(account));
            return self.extract(self.extractor(task, queue), run_id, slot).await;
        }
        let (queue, lane) = in_process(settings.capacity as usize, settings.message_bytes_max);
        self.presence.watch(queue.depth());
        let mut extractor = self.extractor(task, queue);
        if !writer.expects_new() {
            // Beside what was read now, a writer has in memory what history has of the same objects, and what differs.
            extractor.settings.waiting_max = extractor.settings.waiting_max.saturating_sub(1);
            extractor.settings.batch_bytes_max /= KNOWN_OBJECTS_ROOM;
        }
        let history = self.history.clone();
        let leases = self.presence.leases().clone();
        let write = async move {
            let count = |messages| {
                done.written.fetch_add(messages, Ordering::Relaxed);
            };
            writer.serve(&history, lane, &leases, count).await;
        };
        let writing = tokio::spawn(write.in_current_span());
        // The writer's lane ends with its only sender.
        let worked = self.extract(extractor, run_id, slot).await;
        writing.await.map_err(|error| Worked::Stopped(format!("a writer was lost: {error}")))?;
        worked
    }

    async fn extract(&self, extractor: Extractor, run_id: i64, slot: u32) -> Result<u32, Worked> {
        let worker = format!("{}:{}/{slot}", self.host, std::process::id());
        extractor.work(&self.history, run_id, &worker).await.map_err(|error| match error {
            annals_extract::Error::Claim { .. } if !error.is_passing() => {
                Worked::Stopped(error_chain(&error))
            }
            _ => Worked::Failed(error_chain(&error)),
        })
    }

    /// A writer for a run.
    pub(crate) async fn writer(&self, run_id: i64) -> Result<Writer, annals_history::Error> {
        let expects_new = annals_history::is_first_load(&self.history, run_id).await?;
        Ok(writer(&self.config, Arc::clone(&self.clock), expects_new))
    }

    /// Delivers parked messages whose time has come again (IIQ-57). A run does it before it reads anything and once
    /// more at its end; what could not be delivered waits.
    pub(crate) async fn redeliver(&self, writer: &Writer) {
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
            arguments: task.arguments.clone(),
            last_chances: self.presence.last_chances(),
            leases: self.presence.leases().clone(),
        }
    }
}

/// A writer with the settings of a configuration, its log of discarded messages open.
pub(crate) fn writer(config: &Config, clock: Arc<dyn Clock>, expects_new: bool) -> Writer {
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
pub(crate) fn image_plans(config: &Config, task: &Task) -> BTreeMap<ObjectType, ImagePlan> {
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
